using System.Text.Json;

namespace Postern.Triggers;

/// <summary>The values that a template may insert, as texts. Headers are redacted already.</summary>
internal sealed record TemplateValues(
    string Method,
    string Path,
    string Query,
    IReadOnlyDictionary<string, string> QueryValues,
    IReadOnlyDictionary<string, string> Headers,
    string Body,
    JsonElement? BodyJson,
    string SourceIp,
    string Timestamp,
    string ScheduledTime
);
