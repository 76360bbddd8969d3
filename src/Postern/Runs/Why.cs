using Postern.Http;

namespace Postern.Runs;

/// <summary>Why something has not ended: what it waits for, since when, and what happens next.</summary>
internal sealed record Why(
    [Word(
        "What it waits for.",
        Why.DispatchRetry,
        Why.AgentFull,
        Why.NoWorker,
        Why.AwaitingWorker,
        Why.AwaitingReport,
        Why.AwaitingApproval,
        Why.AwaitingMessage,
        Why.Paused,
        Why.NotStarted
    )]
        string Code,
    [Member("The same in a sentence, for people. What others said is quoted.")] string Text,
    [At("Since when.")] string Since,
    [Member("What happens next, unless something else does.", MayBeAbsent = true)] WhyNext? Next
)
{
    /// <summary>A try of its dispatch failed; there will be another.</summary>
    public const string DispatchRetry = "dispatch_retry";

    /// <summary>All places of its agent are taken.</summary>
    public const string AgentFull = "agent_full";

    /// <summary>No worker has asked for work of its agent for some minutes.</summary>
    public const string NoWorker = "no_worker";

    /// <summary>It is about to be given to its agent, or to the next worker that asks.</summary>
    public const string AwaitingWorker = "awaiting_worker";

    /// <summary>Its agent has it.</summary>
    public const string AwaitingReport = "awaiting_report";

    /// <summary>A person is asked.</summary>
    public const string AwaitingApproval = "awaiting_approval";

    /// <summary>It has answered its session's last message, and waits for the next.</summary>
    public const string AwaitingMessage = "awaiting_message";

    public const string Paused = "paused";

    /// <summary>It was made with <c>start: false</c>.</summary>
    public const string NotStarted = "not_started";
}
