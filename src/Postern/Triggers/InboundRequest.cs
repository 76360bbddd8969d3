using System.Text.Json;

namespace Postern.Triggers;

/// <summary>
/// An incoming request, or a schedule's occurrence: everything that a capture stores and a prompt is made from.
/// </summary>
internal sealed record InboundRequest
{
    public required string Source { get; init; }

    public required string Method { get; init; }

    public required string Path { get; init; }

    public required string Query { get; init; }

    public required Dictionary<string, string> QueryValues { get; init; }

    public required Dictionary<string, string> Headers { get; init; }

    public required byte[] Body { get; init; }

    public string? ContentType { get; init; }

    public required string SourceIp { get; init; }

    public long? ScheduledAt { get; init; }

    /// <summary>The scheme of its valid signature; null when none was required.</summary>
    public string? Signed { get; init; }

    public static InboundRequest Of(Capture c, string source) =>
        new()
        {
            Source = source,
            Method = c.Method ?? "",
            Path = c.Path ?? "",
            Query = c.Query ?? "",
            QueryValues = QueryOf(c.Query ?? ""),
            Headers = c.Headers is null ? [] : JsonSerializer.Deserialize<Dictionary<string, string>>(c.Headers)!,
            Body = c.Body ?? [],
            ContentType = c.ContentType,
            SourceIp = c.SourceIp ?? "",
            ScheduledAt = c.ScheduledAt,
        };

    public static InboundRequest Occurrence(string source, long? scheduledAt) =>
        new()
        {
            Source = source,
            Method = "",
            Path = "",
            Query = "",
            QueryValues = [],
            Headers = [],
            Body = [],
            SourceIp = "",
            ScheduledAt = scheduledAt,
        };

    /// <summary>Returns the same request with another body, which is sent unchanged.</summary>
    public InboundRequest WithBody(byte[] body) =>
        this with
        {
            Body = body,
            Headers = Headers.Where(h => h.Key is not ("content-encoding" or "content-length")).ToDictionary(),
        };

    public static Dictionary<string, string> QueryOf(string query) =>
        Microsoft
            .AspNetCore.WebUtilities.QueryHelpers.ParseQuery(query)
            .ToDictionary(q => q.Key, q => InboundBody.Kept(q.Value.ToString()), StringComparer.Ordinal);
}
