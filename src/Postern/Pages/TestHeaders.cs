using Postern.Http;

namespace Postern.Pages;

/// <summary>Reads the headers of a test request as a person types them, one on each line: <c>name: value</c>.</summary>
internal static class TestHeaders
{
    public const int Most = 30;
    private const int MaxValue = 4096;

    /// <summary>Headers about the connection or the origin of a message cannot be set by a person.</summary>
    private static readonly string[] OfTravel =
    [
        "host",
        "connection",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "accept-encoding",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "proxy-connection",
        "forwarded",
        TestSender.Mark,
    ];

    public static bool MaySend(string name) =>
        !OfTravel.Contains(name, StringComparer.OrdinalIgnoreCase)
        && !name.StartsWith("x-forwarded", StringComparison.OrdinalIgnoreCase);

    public static Checked<List<(string Name, string Value)>> Read(string text)
    {
        var headers = new List<(string, string)>();
        foreach (var line in text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var mark = line.IndexOf(':', StringComparison.Ordinal);
            var name = mark < 0 ? "" : line[..mark].Trim();
            if (name.Length is 0 or > 128 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
                return Bad($"headers: \"{Wire.Cut(line, 60)}\" is no line of the form name: value");
            if (!MaySend(name))
                return Bad($"headers: {name} is not for a test to say");
            var value = line[(mark + 1)..].Trim();
            if (value.Length > MaxValue || value.Any(char.IsControl))
                return Bad($"headers: the value of {name} is too long, or holds a control character");
            headers.Add((name, value));
        }
        return headers.Count > Most ? Bad($"headers: there are more than {Most}") : headers;
    }

    public static string Write(IEnumerable<(string Name, string Value)> headers) =>
        string.Join('\n', headers.Select(h => $"{h.Name}: {h.Value}"));

    private static Refusal Bad(string message) => Refusal.BadRequest(message + ".", "invalid_form");
}
