using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// One captured request of a trigger, with its state: <c>captured → inprogress → success | failed</c>, or
/// <c>filtered</c>. It follows the turn of its session that answers it, in the same transaction. A turn has a deadline,
/// so a capture always ends.
/// </summary>
internal sealed record Capture
{
    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    [Column("trigger_uid")]
    public required string TriggerUid { get; init; }

    [Column("at")]
    public required long At { get; init; }

    [Column("source")]
    public required string Source { get; init; }

    [Column("method")]
    public string? Method { get; init; }

    [Column("path")]
    public string? Path { get; init; }

    [Column("query")]
    public string? Query { get; init; }

    [Column("headers")]
    public string? Headers { get; init; }

    [Column("body")]
    public byte[]? Body { get; init; }

    [Column("content_type")]
    public string? ContentType { get; init; }

    [Column("source_ip")]
    public string? SourceIp { get; init; }

    [Column("scheduled_at")]
    public long? ScheduledAt { get; init; }

    [Column("status")]
    public required string Status { get; init; }

    /// <summary>Why it failed, as a code: <c>timed_out</c>, <c>cancelled</c>, <c>dispatch_failed</c>, …</summary>
    [Column("reason")]
    public string? Reason { get; init; }

    [Column("error")]
    public string? Error { get; init; }

    [Column("session")]
    public string? Session { get; init; }

    /// <summary>The number of its message on <c>in</c> of its session.</summary>
    [Column("in_seq")]
    public long? InSeq { get; init; }

    [Column("run")]
    public string? Run { get; init; }

    [Column("started_at")]
    public long? StartedAt { get; init; }

    [Column("ended_at")]
    public long? EndedAt { get; init; }

    /// <summary>
    /// The scheme of its valid signature; null when its trigger required none, or when an older version captured it.
    /// </summary>
    [Column("signed")]
    public string? Signed { get; init; }

    /// <summary>
    /// A reason besides success: the template of its session's key gave nothing, so it got a session of its own.
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
