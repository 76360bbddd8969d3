namespace Postern.Triggers;

/// <summary>
/// One captured request of a trigger, and what became of it: <c>captured → inprogress → success | failed</c>, or
/// <c>filtered</c>. It follows the turn of its session that answers it, in the same transaction; a turn has a deadline,
/// so a capture is never under way for ever.
/// </summary>
/// <param name="Reason">Why it failed, in a word: <c>timed_out</c>, <c>cancelled</c>, <c>dispatch_failed</c>, …</param>
/// <param name="InSeq">The message on its session's <c>in</c> that it became.</param>
internal sealed record Capture(
    string Project,
    string Id,
    string TriggerUid,
    long At,
    string Source,
    string? Method,
    string? Path,
    string? Query,
    string? Headers,
    byte[]? Body,
    string? ContentType,
    string? SourceIp,
    long? ScheduledAt,
    string Status,
    string? Reason = null,
    string? Error = null,
    string? Session = null,
    long? InSeq = null,
    string? Run = null,
    long? StartedAt = null,
    long? EndedAt = null
)
{
    /// <summary>
    /// A reason beside a success: the key of its trigger led nowhere, so it got a session of its own.
    /// </summary>
    public const string SessionKeyMissing = "session_key_missing";

    public const string Captured = "captured";
    public const string InProgress = "inprogress";
    public const string Success = "success";
    public const string Failed = "failed";
    public const string Filtered = "filtered";
    public static readonly string[] Statuses = [Captured, InProgress, Success, Failed, Filtered];

    public const string Webhook = "webhook";
    public const string Scheduled = "scheduled";
    public const string Manual = "manual";
    public const string Replay = "replay";

    public bool IsOver => EndedAt is not null;
}
