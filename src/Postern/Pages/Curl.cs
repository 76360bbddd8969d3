using System.Text;

namespace Postern.Pages;

/// <summary>
/// Writes a request of the API as a command for POSIX <c>sh</c>, with <c>$U</c> and <c>$KEY</c> as the README sets
/// them. It is quoted so that it can be pasted, and never contains a credential.
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
        // The line that ends the here-document must not occur in it.
        var end = "END";
        while (json.Split('\n').Contains(end, StringComparer.Ordinal))
            end += "_";
        return $"{head} --data-binary @- <<'{end}'\n{json}\n{end}";
    }

    /// <summary>
    /// Writes a request as it came to a public URL. Redacted values become <c>$SECRET</c>, which the person sets.
    /// </summary>
    /// <param name="method">As it came.</param>
    /// <param name="path">Of this server, its segments escaped, with the query.</param>
    /// <param name="headers">As they are kept.</param>
    /// <param name="body">The bytes as they came.</param>
    /// <param name="isText">Whether they are a text that a shell can hold.</param>
    public static string Captured(
        string method,
        string path,
        IEnumerable<KeyValuePair<string, string>> headers,
        byte[] body,
        bool isText
    )
    {
        // -g: brackets in the address are part of it.
        var head = new StringBuilder($"curl -s -g -X {Quoted(method)} \"$U\"{WithSecrets(path)}");
        var sent = headers.Where(h => !OfConnection.Contains(h.Key)).ToList();
        foreach (var (name, value) in sent)
            head.Append(" -H ").Append(WithSecrets(value.Length == 0 ? name + ";" : $"{name}: {value}"));
        if (body.Length == 0)
            return head.ToString();
        if (sent.All(h => h.Key != "content-type"))
            head.Append(" -H 'content-type:'");
        if (body.Length > Most)
            return $"{head} --data-binary @body  # the body has {body.Length} bytes and is left out";
        // --data-raw: a body that begins with @ names no file.
        if (isText && body.Length <= MostInline)
            return $"{head} --data-raw {Quoted(Encoding.UTF8.GetString(body))}";
        var lines = Convert.ToBase64String(body).Chunk(76).Select(line => new string(line));
        return $"base64 -d <<'END' | {head} --data-binary @-\n{string.Join('\n', lines)}\nEND";
    }

    /// <summary>
    /// Adds a comment with the filters of the page that the API does not have; empty when there are none.
    /// </summary>
    public static string LeftOut(IEnumerable<string> names) =>
        string.Join(" and ", names) is { Length: > 0 } list ? $"  # without {list}, which the API has not" : "";

    private static readonly HashSet<string> OfConnection = new(StringComparer.Ordinal)
    {
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "accept-encoding",
        "expect",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
    };

    private static string WithSecrets(string text) =>
        Quoted(text).Replace(Triggers.Redaction.Redacted, "'\"$SECRET\"'", StringComparison.Ordinal);

    /// <summary>Quotes a text as one word of the shell.</summary>
    public static string Quoted(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
