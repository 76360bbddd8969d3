namespace Postern.Http;

/// <summary>Why something has not ended: what it waits for, since when, and what happens next.</summary>
internal sealed record Why(
    [Word(
        "What it waits for.",
        Why.DispatchRetry,
        Why.DispatchPaused,
        Why.AgentFull,
        Why.NoWorker,
        Why.AwaitingWorker,
        Why.AwaitingReport,
        Why.AwaitingApproval,
        Why.AwaitingMessage,
        Why.Paused,
        Why.NotStarted,
        Why.NoAgent,
        Why.BehindRun,
        Why.DeliveryRetry,
        Why.DeliveryPaused,
        Why.BehindDelivery,
        Why.AwaitingSend
    )]
        string Code,
    [Member("The same in a sentence, for people. What others said is quoted.")] string Text,
    [At("Since when.")] string Since,
    [Member("What happens next, unless something else does.", MayBeAbsent = true)] WhyNext? Next
)
{
    /// <summary>A try of its dispatch failed; there will be another.</summary>
    public const string DispatchRetry = "dispatch_retry";

    /// <summary>Several calls to its agent failed; for a while it is not called.</summary>
    public const string DispatchPaused = "dispatch_paused";

    /// <summary>All places of its agent are taken.</summary>
    public const string AgentFull = "agent_full";

    /// <summary>For some minutes, no worker has asked for work of its agent.</summary>
    public const string NoWorker = "no_worker";

    /// <summary>It will be given to its agent, or to the next worker that asks.</summary>
    public const string AwaitingWorker = "awaiting_worker";

    /// <summary>Its agent has it.</summary>
    public const string AwaitingReport = "awaiting_report";

    /// <summary>A person is asked.</summary>
    public const string AwaitingApproval = "awaiting_approval";

    /// <summary>It has answered its session's last message and waits for the next.</summary>
    public const string AwaitingMessage = "awaiting_message";

    public const string Paused = "paused";

    /// <summary>It was created with <c>start: false</c>.</summary>
    public const string NotStarted = "not_started";

    /// <summary>For a capture: its agent is not registered.</summary>
    public const string NoAgent = "no_agent";

    /// <summary>For a capture: its session works on an earlier request.</summary>
    public const string BehindRun = "behind_run";

    /// <summary>For a delivery: a try failed; there will be another.</summary>
    public const string DeliveryRetry = "delivery_retry";

    /// <summary>For a delivery: nothing is sent to its receiver for a while.</summary>
    public const string DeliveryPaused = "delivery_paused";

    /// <summary>For a delivery: it waits for an earlier one about the same subject.</summary>
    public const string BehindDelivery = "behind_delivery";

    /// <summary>For a delivery: it is about to be sent.</summary>
    public const string AwaitingSend = "awaiting_send";
}
