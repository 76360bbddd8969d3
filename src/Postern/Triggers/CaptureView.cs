using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record CaptureView
{
    [Member("The id of the captured request.")]
    public required string RequestId { get; init; }

    [At("When it came.")]
    public required string Timestamp { get; init; }

    [Member("webhook, scheduled, manual or replay.")]
    public required string TriggerSource { get; init; }

    [Member("Its HTTP method.")]
    public required string? Method { get; init; }

    [Member("Its path.")]
    public required string? Path { get; init; }

    [Member("Its query, without secrets.")]
    public required string? Query { get; init; }

    [Chosen("Its headers, without secrets.")]
    public required JsonElement? Headers { get; init; }

    [Member("Its body, as text.")]
    public required string? Body { get; init; }

    [Member("Its content type.")]
    public required string? ContentType { get; init; }

    [Member("From where it came.")]
    public required string? SourceIp { get; init; }

    [At("The instant that its schedule fired for.")]
    public required string? ScheduledTime { get; init; }

    [Word(
        "What has become of it.",
        Capture.Captured,
        Capture.InProgress,
        Capture.Success,
        Capture.Failed,
        Capture.Filtered
    )]
    public required string ProcessStatus { get; init; }

    [Member("A stable code of why.")]
    public required string? Reason { get; init; }

    [Member("What went wrong, for people.")]
    public required string? ErrorMessage { get; init; }

    [Member("The session that it started.")]
    public required string? CloudAgentSessionId { get; init; }

    [Member("The run that it started.")]
    public required string? RunId { get; init; }

    [At("When its turn began.")]
    public required string? StartedAt { get; init; }

    [At("When it was over.")]
    public required string? CompletedAt { get; init; }

    [Member("Why it has not ended, of one that is read by itself.", MayBeAbsent = true)]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required Why? Why { get; init; }

    public static CaptureView Of(Capture c) => Of(c, null);

    public static CaptureView Of(Capture c, Why? why) =>
        new()
        {
            RequestId = c.Id,
            Timestamp = Wire.Iso(c.At),
            TriggerSource = c.Source,
            Method = c.Method,
            Path = c.Path,
            Query = c.Query,
            Headers = c.Headers is null ? null : JsonSerializer.Deserialize<JsonElement>(c.Headers, Wire.Json),
            Body = BodyOf(c),
            ContentType = c.ContentType,
            SourceIp = c.SourceIp,
            ScheduledTime = Wire.Iso(c.ScheduledAt),
            ProcessStatus = c.Status,
            Reason = c.Reason,
            ErrorMessage = c.Error,
            CloudAgentSessionId = c.Session,
            RunId = c.Run,
            StartedAt = Wire.Iso(c.StartedAt),
            CompletedAt = Wire.Iso(c.EndedAt),
            Why = why,
        };

    private static string? BodyOf(Capture c)
    {
        if (c.Body is null)
            return null;
        using var body = InboundBody.OfCaptured(InboundRequest.Of(c, c.Source), InboundRoutes.MaxBody);
        return body.Text;
    }
}
