using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// One unit of agent work, moved through its workflow by reports. A session's run takes the session's turns one after
/// another, stays for an idle window after each, and then ends; the next message makes a continuation of it.
///
/// What always holds: a run that has ended moves no further, except that a retry begins its next attempt; every live
/// run has <see cref="DeadlineAt"/> (and a turn's own on its session), which <see cref="RunReaper"/> enforces; every
/// change of it is an event of its timeline, written with it. Work that is due carries <see cref="DueAt"/> until it is
/// handed over: a node that dies holding the lease loses it, and another takes the run up where its rows say it stood.
/// Times are microseconds since 1970.
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

    /// <summary>What the state means; after an end by the server, what it ended as.</summary>
    [Column("phase")]
    public string Phase { get; init; } = Runs.Phase.Queued;

    /// <summary>For a person: why it ended or waits.</summary>
    [Column("reason")]
    public string? Reason { get; init; }

    [Column("attempt")]
    public long Attempt { get; init; } = 1;

    /// <summary>The latest <c>occurred_at</c> applied in this attempt.</summary>
    [Column("marker")]
    public long? Marker { get; init; }

    /// <summary>Events in its timeline so far.</summary>
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

    /// <summary>JSON texts, as they came.</summary>
    [Column("tags")]
    public string Tags { get; init; } = "[]";

    [Column("metadata")]
    public string? Metadata { get; init; }

    /// <summary>Who is told when it ends, how that is signed, and what became of it.</summary>
    [Column("callback_url")]
    public string? CallbackUrl { get; init; }

    [Column("callback_sealed")]
    public byte[]? CallbackSealed { get; init; }

    [Column("callback_outcome")]
    public string? CallbackOutcome { get; init; }

    /// <summary>
    /// There is work although no message waits: the message that a session was started with, or a run with an input of
    /// its own.
    /// </summary>
    [Column("boot_message")]
    public bool BootMessage { get; init; }

    [Column("continuation")]
    public bool Continuation { get; init; }

    [Column("previous_run")]
    public string? PreviousRun { get; init; }

    [Column("trigger_key")]
    public string? TriggerKey { get; init; }

    /// <summary>What a retry was asked to run under; handed to the agent.</summary>
    [Column("profile")]
    public string? Profile { get; init; }

    [Column("paused_from")]
    public string? PausedFrom { get; init; }

    /// <summary>The open question that it waits for: until that is decided nobody but who ends it moves it.</summary>
    [Column("approval")]
    public string? Approval { get; init; }

    /// <summary>When that question expires; meanwhile the run's own deadlines stand still.</summary>
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

    /// <summary>The earliest of its deadlines: what the reaper looks for.</summary>
    [Column("deadline_at")]
    public long DeadlineAt { get; init; }

    /// <summary>When the attempt has lasted as long as it may.</summary>
    [Column("total_at")]
    public long TotalAt { get; init; }

    /// <summary>When its state has lasted as long as it may; null when the state has no deadline.</summary>
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

    /// <summary>Since when it waits for a place at its agent, or to go on, instead of being due.</summary>
    [Column("waits_at")]
    public long? WaitsAt { get; init; }

    [Column("lease_no")]
    public long LeaseNo { get; init; }

    [Column("tries")]
    public long Tries { get; init; }

    /// <summary>Since when a <c>pull</c> agent may claim it; null when it may not.</summary>
    [Column("claim_at")]
    public long? ClaimAt { get; init; }

    /// <summary>Until when the worker that claimed it holds it without a heartbeat.</summary>
    [Column("claim_until")]
    public long? ClaimUntil { get; init; }

    [Column("claim_seconds")]
    public long ClaimSeconds { get; init; }

    [Column("leases_lost")]
    public long LeasesLost { get; init; }

    /// <summary>It was given to its agent in this attempt.</summary>
    [Column("dispatched")]
    public bool Dispatched { get; init; }

    public bool IsEnded => EndedAt is not null;
}
