using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record CaptureView(
    [Member("The id of the captured request.")] string RequestId,
    [At("When it came.")] string Timestamp,
    [Member("webhook, scheduled, manual or replay.")] string TriggerSource,
    [Member("Its HTTP method.")] string? Method,
    [Member("Its path.")] string? Path,
    [Member("Its query, without secrets.")] string? Query,
    [Chosen("Its headers, without secrets.")] JsonElement? Headers,
    [Member("Its body, as text.")] string? Body,
    [Member("Its content type.")] string? ContentType,
    [Member("From where it came.")] string? SourceIp,
    [At("The instant that its schedule fired for.")] string? ScheduledTime,
    [Word(
        "What has become of it.",
        Capture.Captured,
        Capture.InProgress,
        Capture.Success,
        Capture.Failed,
        Capture.Filtered
    )]
        string ProcessStatus,
    [Member("A stable code of why.")] string? Reason,
    [Member("What went wrong, for people.")] string? ErrorMessage,
    [Member("The session that it started.")] string? CloudAgentSessionId,
    [Member("The run that it started.")] string? RunId,
    [At("When its turn began.")] string? StartedAt,
    [At("When it was over.")] string? CompletedAt
)
{
    public static CaptureView Of(Capture c) =>
        new(
            c.Id,
            Wire.Iso(c.At),
            c.Source,
            c.Method,
            c.Path,
            c.Query,
            c.Headers is null ? null : JsonSerializer.Deserialize<JsonElement>(c.Headers, Wire.Json),
            BodyOf(c),
            c.ContentType,
            c.SourceIp,
            Wire.Iso(c.ScheduledAt),
            c.Status,
            c.Reason,
            c.Error,
            c.Session,
            c.Run,
            Wire.Iso(c.StartedAt),
            Wire.Iso(c.EndedAt)
        );

    private static string? BodyOf(Capture c)
    {
        if (c.Body is null)
            return null;
        using var body = InboundBody.OfCaptured(InboundRequest.Of(c, c.Source), InboundRoutes.MaxBody);
        return body.Text;
    }
}
