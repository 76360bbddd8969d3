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

    public required string Project { get; init; }

    public required string Id { get; init; }

    public required string Agent { get; init; }

    public string Workflow { get; init; } = Runs.Workflow.Agent.Name;

    /// <summary>0: the built-in definition.</summary>
    public long WorkflowVersion { get; init; }

    public string? Session { get; init; }

    /// <summary>A state of the workflow.</summary>
    public required string Status { get; init; }

    /// <summary>What the state means; after an end by the server, what it ended as.</summary>
    public string Phase { get; init; } = Runs.Phase.Queued;

    /// <summary>For a person: why it ended or waits.</summary>
    public string? Reason { get; init; }

    public long Attempt { get; init; } = 1;

    /// <summary>The latest <c>occurred_at</c> applied in this attempt.</summary>
    public long? Marker { get; init; }

    /// <summary>Events in its timeline so far.</summary>
    public long EventSeq { get; init; }

    public string? FailureCode { get; init; }

    public string? FailureMessage { get; init; }

    public string? FailedStage { get; init; }

    public long? ProgressMillionths { get; init; }

    /// <summary>JSON texts, as they came.</summary>
    public string Tags { get; init; } = "[]";

    public string? Metadata { get; init; }

    /// <summary>Who is told when it ends, how that is signed, and what became of it.</summary>
    public string? CallbackUrl { get; init; }

    public byte[]? CallbackSealed { get; init; }

    public string? CallbackOutcome { get; init; }

    /// <summary>
    /// There is work although no message waits: the message that a session was started with, or a run with an input of
    /// its own.
    /// </summary>
    public bool BootMessage { get; init; }

    public bool Continuation { get; init; }

    public string? PreviousRun { get; init; }

    public string? TriggerKey { get; init; }

    /// <summary>What a retry was asked to run under; handed to the agent.</summary>
    public string? Profile { get; init; }

    public string? PausedFrom { get; init; }

    /// <summary>The open question that it waits for: until that is decided nobody but who ends it moves it.</summary>
    public string? Approval { get; init; }

    /// <summary>When that question expires; meanwhile the run's own deadlines stand still.</summary>
    public long? ApprovalUntil { get; init; }

    public long CreatedAt { get; init; }

    public long UpdatedAt { get; init; }

    public long AttemptAt { get; init; }

    public long? StartedAt { get; init; }

    public long? EndedAt { get; init; }

    /// <summary>The earliest of its deadlines: what the reaper looks for.</summary>
    public long DeadlineAt { get; init; }

    /// <summary>When the attempt has lasted as long as it may.</summary>
    public long TotalAt { get; init; }

    /// <summary>When its state has lasted as long as it may; null when the state has no deadline.</summary>
    public long? StateUntil { get; init; }

    public long QueuedSeconds { get; init; }

    public long SilentSeconds { get; init; }

    public long TotalSeconds { get; init; }

    public long IdleSeconds { get; init; }

    public long? DueAt { get; init; }

    /// <summary>Since when it waits for a place at its agent, or to go on, instead of being due.</summary>
    public long? WaitsAt { get; init; }

    public long LeaseNo { get; init; }

    public long Tries { get; init; }

    /// <summary>Since when a <c>pull</c> agent may claim it; null when it may not.</summary>
    public long? ClaimAt { get; init; }

    /// <summary>Until when the worker that claimed it holds it without a heartbeat.</summary>
    public long? ClaimUntil { get; init; }

    public long ClaimSeconds { get; init; }

    public long LeasesLost { get; init; }

    /// <summary>It was given to its agent in this attempt.</summary>
    public bool Dispatched { get; init; }

    public bool IsEnded => EndedAt is not null;
}
