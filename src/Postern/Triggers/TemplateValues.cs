using System.Text.Json;

namespace Postern.Triggers;

/// <summary>The values that a template may insert, as texts. Headers are redacted already.</summary>
internal sealed record TemplateValues
{
    public required string Method { get; init; }

    public required string Path { get; init; }

    public required string Query { get; init; }

    public required IReadOnlyDictionary<string, string> QueryValues { get; init; }

    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    public required string Body { get; init; }

    public JsonElement? BodyJson { get; init; }

    public required string SourceIp { get; init; }

    public required string Timestamp { get; init; }

    public required string ScheduledTime { get; init; }
}
