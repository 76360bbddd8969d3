using System.Text.Json;

namespace Postern.Triggers;

/// <summary>
/// What came in, or a schedule's occurrence: everything that a capture keeps and a prompt is made from.
/// </summary>
internal sealed record InboundRequest(
    string Source,
    string Method,
    string Path,
    string Query,
    Dictionary<string, string> QueryValues,
    Dictionary<string, string> Headers,
    byte[] Body,
    string? ContentType,
    string SourceIp,
    long? ScheduledAt = null
)
{
    public static InboundRequest Of(Capture c, string source) =>
        new(
            source,
            c.Method ?? "",
            c.Path ?? "",
            c.Query ?? "",
            QueryOf(c.Query ?? ""),
            c.Headers is null ? [] : JsonSerializer.Deserialize<Dictionary<string, string>>(c.Headers)!,
            c.Body ?? [],
            c.ContentType,
            c.SourceIp ?? "",
            c.ScheduledAt
        );

    public static InboundRequest Occurrence(string source, long? scheduledAt) =>
        new(source, "", "", "", [], [], [], null, "", scheduledAt);

    public static Dictionary<string, string> QueryOf(string query) =>
        Microsoft
            .AspNetCore.WebUtilities.QueryHelpers.ParseQuery(query)
            .ToDictionary(q => q.Key, q => InboundBody.Kept(q.Value.ToString()), StringComparer.Ordinal);
}
