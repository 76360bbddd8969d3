using System.Text;

namespace Postern.Pages;

/// <summary>
/// A request of the API as a command for POSIX <c>sh</c>, with <c>$U</c> and <c>$KEY</c> as the README sets them:
/// quoted so that it runs as it is pasted, and never with a credential in it.
/// </summary>
internal static class Curl
{
    private const string Key = "-H \"Authorization: Bearer $KEY\"";
    private const int MostInline = 4 * 1024;
    private const int Most = 64 * 1024;

    /// <param name="path">Of the API, its segments escaped.</param>
    public static string Get(string path) => $"curl -s \"$U\"{Quoted(path)} {Key}";

    /// <param name="json">The body; null when there is none.</param>
    public static string Send(string method, string path, string? json = null)
    {
        var head = $"curl -s -X {method} \"$U\"{Quoted(path)} {Key}";
        if (json is null)
            return head;
        head += " -H 'Content-Type: application/json'";
        var size = Encoding.UTF8.GetByteCount(json);
        if (size > Most)
            return $"{head} --data-binary @body.json  # the body has {size} bytes and is left out";
        if (size <= MostInline && !json.Contains('\n', StringComparison.Ordinal))
            return $"{head} --data-binary {Quoted(json)}";
        // What ends the document must be no line of it.
        var end = "END";
        while (json.Split('\n').Contains(end, StringComparer.Ordinal))
            end += "_";
        return $"{head} --data-binary @- <<'{end}'\n{json}\n{end}";
    }

    /// <summary>One word of the shell, whatever stands in it.</summary>
    public static string Quoted(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
