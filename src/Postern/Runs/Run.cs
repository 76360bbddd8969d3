using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// One unit of agent work, which reports move through its workflow. A run of a session takes the session's turns one
/// after another. After each it stays idle for a while, and then ends. The next message starts a continuation of it.
///
/// An ended run moves no further, except that a retry begins its next attempt. Every live run has
/// <see cref="DeadlineAt"/> (and its session the deadline of the turn), which <see cref="RunReaper"/> enforces. Every
/// change is an event of the timeline, written with it. A run with work to do has <see cref="DueAt"/> until it is
/// handed over. A node that dies loses its lease, and another node continues from what the rows say. Times are
/// microseconds since 1970.
/// </summary>
internal record Run
{
    public const string Prefix = "run";

    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    [Column("agent")]
    public required string Agent { get; init; }

    [Column("workflow")]
    public string Workflow { get; init; } = Runs.Workflow.Agent.Name;

    /// <summary>0: the built-in definition.</summary>
    [Column("workflow_version")]
    public long WorkflowVersion { get; init; }

    [Column("session")]
    public string? Session { get; init; }

    /// <summary>A state of the workflow.</summary>
    [Column("status")]
    public required string Status { get; init; }

    /// <summary>The meaning of the state; after an end by the server, how it ended.</summary>
    [Column("phase")]
    public string Phase { get; init; } = Runs.Phase.Queued;

    /// <summary>Why it ended or waits, for people.</summary>
    [Column("reason")]
    public string? Reason { get; init; }

    [Column("attempt")]
    public long Attempt { get; init; } = 1;

    /// <summary>The latest <c>occurred_at</c> that was applied in this attempt.</summary>
    [Column("marker")]
    public long? Marker { get; init; }

    /// <summary>Number of events in its timeline.</summary>
    [Column("event_seq")]
    public long EventSeq { get; init; }

    [Column("failure_code")]
    public string? FailureCode { get; init; }

    [Column("failure_message")]
    public string? FailureMessage { get; init; }

    [Column("failed_stage")]
    public string? FailedStage { get; init; }

    [Column("progress_millionths")]
    public long? ProgressMillionths { get; init; }

    /// <summary>JSON texts, unchanged.</summary>
    [Column("tags")]
    public string Tags { get; init; } = "[]";

    [Column("metadata")]
    public string? Metadata { get; init; }

    /// <summary>The callback for its end: its URL, its secret, and its outcome.</summary>
    [Column("callback_url")]
    public string? CallbackUrl { get; init; }

    [Column("callback_sealed")]
    public byte[]? CallbackSealed { get; init; }

    [Column("callback_outcome")]
    public string? CallbackOutcome { get; init; }

    /// <summary>
    /// Whether there is work although no message waits: the message with which a session was started, or a run with its
    /// own input.
    /// </summary>
    [Column("boot_message")]
    public bool BootMessage { get; init; }

    [Column("continuation")]
    public bool Continuation { get; init; }

    [Column("previous_run")]
    public string? PreviousRun { get; init; }

    [Column("trigger_key")]
    public string? TriggerKey { get; init; }

    /// <summary>The profile that a retry has asked for; it is passed to the agent.</summary>
    [Column("profile")]
    public string? Profile { get; init; }

    [Column("paused_from")]
    public string? PausedFrom { get; init; }

    /// <summary>Id of the pending approval. While it is pending, the run can only be ended.</summary>
    [Column("approval")]
    public string? Approval { get; init; }

    /// <summary>The expiry of that approval. Until then, the run's own deadlines stand still.</summary>
    [Column("approval_until")]
    public long? ApprovalUntil { get; init; }

    [Column("created_at")]
    public long CreatedAt { get; init; }

    [Column("updated_at")]
    public long UpdatedAt { get; init; }

    [Column("attempt_at")]
    public long AttemptAt { get; init; }

    [Column("started_at")]
    public long? StartedAt { get; init; }

    [Column("ended_at")]
    public long? EndedAt { get; init; }

    /// <summary>The earliest of its deadlines; the reaper finds runs by it.</summary>
    [Column("deadline_at")]
    public long DeadlineAt { get; init; }

    /// <summary>The deadline of the attempt.</summary>
    [Column("total_at")]
    public long TotalAt { get; init; }

    /// <summary>The deadline of the present state; null when the state has none.</summary>
    [Column("state_until")]
    public long? StateUntil { get; init; }

    [Column("queued_seconds")]
    public long QueuedSeconds { get; init; }

    [Column("silent_seconds")]
    public long SilentSeconds { get; init; }

    [Column("total_seconds")]
    public long TotalSeconds { get; init; }

    [Column("idle_seconds")]
    public long IdleSeconds { get; init; }

    [Column("due_at")]
    public long? DueAt { get; init; }

    /// <summary>When it began to wait for a place at its agent, or to go on, instead of being due.</summary>
    [Column("waits_at")]
    public long? WaitsAt { get; init; }

    [Column("lease_no")]
    public long LeaseNo { get; init; }

    [Column("tries")]
    public long Tries { get; init; }

    /// <summary>When it became claimable by a <c>pull</c> agent; null when it is not.</summary>
    [Column("claim_at")]
    public long? ClaimAt { get; init; }

    /// <summary>How long the worker that claimed it may go without a heartbeat.</summary>
    [Column("claim_until")]
    public long? ClaimUntil { get; init; }

    [Column("claim_seconds")]
    public long ClaimSeconds { get; init; }

    [Column("leases_lost")]
    public long LeasesLost { get; init; }

    /// <summary>Whether it was given to its agent in this attempt.</summary>
    [Column("dispatched")]
    public bool Dispatched { get; init; }

    public bool IsEnded => EndedAt is not null;
}
