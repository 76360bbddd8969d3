namespace Postern.Deliveries;

/// <summary>
/// A type of event that endpoints may subscribe to. No other type can be emitted: <see cref="All"/> is the complete
/// list, also for the documents.
/// </summary>
internal sealed class EventType
{
    private static readonly List<EventType> Known = [];
    private static readonly Dictionary<string, EventType> ByName = new(StringComparer.Ordinal);

    public static readonly EventType RunCreated = new("run.created", "A run was created.");
    public static readonly EventType RunStarted = new("run.started", "A run began to work, for the first time.");
    public static readonly EventType RunWaiting = new("run.waiting", "A run waits for a person, or was paused.");
    public static readonly EventType RunSucceeded = new("run.succeeded", "A run ended, and did what it was to do.");
    public static readonly EventType RunFailed = new("run.failed", "A run ended, and did not.");
    public static readonly EventType RunCancelled = new("run.cancelled", "A run was ended by somebody.");
    public static readonly EventType RunTimedOut = new("run.timed_out", "A run was ended by one of its deadlines.");
    public static readonly EventType SessionCreated = new("session.created", "A session was created.");
    public static readonly EventType SessionClosed = new("session.closed", "A session was closed.");
    public static readonly EventType SessionExpired = new("session.expired", "A session came to its expiry.");
    public static readonly EventType MessageCommitted = new("message.committed", "A message joined a transcript.");
    public static readonly EventType ApprovalRequested = new("approval.requested", "A run asked a person.");
    public static readonly EventType ApprovalDecided = new("approval.decided", "A person decided, or the run ended.");
    public static readonly EventType ApprovalExpired = new("approval.expired", "Nobody decided in time.");
    public static readonly EventType TriggerCaptured = new("trigger.captured", "A request to a trigger was captured.");
    public static readonly EventType TriggerFiltered = new("trigger.filtered", "A trigger's filter refused a request.");
    public static readonly EventType ScheduleFailed = new("trigger.schedule_failed", "A schedule cannot go on.");
    public static readonly EventType DeliveryDead = new("delivery.dead", "A delivery was given up.");
    public static readonly EventType EndpointDisabled = new("endpoint.disabled", "An endpoint failed for too long.");

    public static readonly EventType RelayConnected = new("relay.connected", "A relay is connected.");
    public static readonly EventType RelayAway = new("relay.away", "A relay has not been reached for a minute.");
    public static readonly EventType RelayGap = new("relay.gap", "A relay left something out, or changed the order.");

    public static readonly EventType RelayBacklog = new(
        "relay.backlog",
        "What waits at a relay has come to 80 % of what it keeps."
    );

    private EventType(string name, string description)
    {
        (Name, Description) = (name, description);
        Known.Add(this);
        ByName.Add(name, this);
    }

    public static IReadOnlyList<EventType> All => Known;

    public string Name { get; }

    /// <summary>What happened, for the documents.</summary>
    public string Description { get; }

    /// <summary>Returns the type for a run that has reached a phase.</summary>
    /// <exception cref="KeyNotFoundException">There is none of that phase.</exception>
    public static EventType OfRun(string phase) => ByName["run." + phase];

    /// <summary>Returns the table for the documents.</summary>
    public static string Markdown() =>
        "| event | what happened |\n| --- | --- |\n"
        + string.Concat(All.Select(type => $"| `{type.Name}` | {type.Description} |\n"));

    public override string ToString() => Name;
}
