using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// Searches a trigger's captures for a text in the path, the query, a header or the body. A text such as
/// <c>action=opened</c> or <c>issue.number=17</c> also finds JSON bodies with that value at that path. One page reads a
/// limited number of captures and bytes, and says where the search continues.
/// </summary>
/// <param name="Rows">Those that hold it, newest first.</param>
/// <param name="Looked">Captures that were read.</param>
/// <param name="Next">The last one that was read; null: all were.</param>
internal sealed record CaptureSearch(IReadOnlyList<Capture> Rows, int Looked, (long At, string Id)? Next)
{
    private const int MostCaptures = 10_000;
    private const long MostBytes = 64 * 1024 * 1024;

    /// <summary>The captures that are in memory at once, each with a body of at most 256 KiB.</summary>
    private const int Page = 40;

    /// <param name="captures">Where they are.</param>
    /// <param name="trigger">Whose.</param>
    /// <param name="status">The one status; null: any.</param>
    /// <param name="text">What is sought; its letters of either case.</param>
    /// <param name="from">The last one that was read before; null: from the newest on.</param>
    /// <param name="most">Rows of a page.</param>
    /// <param name="ensureAllowed">Asked before each read, because time passes.</param>
    public static async ValueTask<CaptureSearch> FindAsync(
        CaptureStore captures,
        Trigger trigger,
        string? status,
        string text,
        (long At, string Id)? from,
        int most,
        Action ensureAllowed
    )
    {
        var found = new List<Capture>();
        var (looked, bytes) = (0, 0L);
        var (path, value) = Split(text);
        while (true)
        {
            ensureAllowed();
            var (at, id) = from ?? (long.MaxValue, "");
            var rows = await captures.ListAsync(trigger.Project, trigger.Uid, status, at, id, Page);
            foreach (var capture in rows)
            {
                looked++;
                bytes += (capture.Body?.Length ?? 0) + (capture.Headers?.Length ?? 0);
                from = (capture.At, capture.Id);
                if (Holds(capture, text, path, value))
                    // The values in its row do not need the body.
                    found.Add(capture with { Body = null });
                if (found.Count >= most || looked >= MostCaptures || bytes >= MostBytes)
                    return new CaptureSearch(found, looked, from);
            }
            if (rows.Count < Page)
                return new CaptureSearch(found, looked, null);
        }
    }

    /// <summary>Returns a path and a value; nulls when the text does not have that form.</summary>
    private static (JsonPath? Path, string? Value) Split(string text)
    {
        var mark = text.IndexOf('=', StringComparison.Ordinal);
        return mark > 0 && JsonPath.Parse(text[..mark].Trim()) is { } path
            ? (path, text[(mark + 1)..].Trim())
            : default;
    }

    private static bool Holds(Capture capture, string text, JsonPath? path, string? value)
    {
        if (Contains(capture.Path, text) || Contains(capture.Query, text))
            return true;
        var incoming = InboundRequest.Of(capture, capture.Source);
        foreach (var (name, said) in incoming.Headers)
            if (said != Redaction.Redacted && (Contains(name, text) || Contains(said, text)))
                return true;
        using var body = InboundBody.OfCaptured(incoming, InboundRoutes.MaxBody);
        return Contains(body.Text, text) || (path?.Find(body.Json) is { } there && Is(there, value!));
    }

    private static bool Contains(string? where, string text) =>
        where?.Contains(text, StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>A text, a number or a truth value must be equal.</summary>
    private static bool Is(JsonElement there, string value) =>
        there.ValueKind switch
        {
            JsonValueKind.String => MendedJson.TextOf(there) == value,
            JsonValueKind.Object or JsonValueKind.Array => false,
            _ => there.GetRawText() == value,
        };
}
