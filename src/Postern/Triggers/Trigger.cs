using Postern.Access;

namespace Postern.Triggers;

/// <summary>
/// A public URL, or a schedule, that starts runs of an agent from a prompt template. What came in through it are its
/// captures; they are bound to <see cref="Uid"/>, so that a trigger made again under its name starts empty. Its secrets
/// are sealed under the master key, bound to this row.
/// </summary>
/// <param name="Settings">What callers sent beside the known fields, JSON; handed to the agent.</param>
/// <param name="InFlight">Captures whose work has not ended.</param>
/// <param name="NextAt">
/// The next occurrence of its schedule; <paramref name="DueAt"/> is when it fires, a little later.
/// </param>
internal sealed record Trigger(
    string Project,
    TriggerName Name,
    string Uid,
    string Agent,
    string? Settings,
    string Template,
    bool IsActive,
    string Mode,
    string? Cron,
    string? Zone,
    string SessionMode,
    string? SessionKey,
    string? AuthScheme,
    string? AuthHeader,
    byte[]? AuthSealed,
    string? Filter,
    IReadOnlyList<string> Methods,
    long MaxInFlight,
    long? DeadlineSeconds,
    long? RateLimit,
    long InFlight,
    long Received,
    long? LastAt,
    long? NextAt,
    long? DueAt,
    long CreatedAt,
    long UpdatedAt
)
{
    /// <summary>How a described sender writes its signature; null for a scheme that has a row of its own.</summary>
    public HmacForm? AuthForm { get; init; }

    /// <summary>The header in which its senders name a delivery; null: the known ones.</summary>
    public string? DeliveryIdHeader { get; init; }

    /// <summary>Why its schedule cannot go on; null while it can.</summary>
    public string? ScheduleProblem { get; init; }

    /// <summary>Whether a request's body is looked into: by the filter, the template or the key.</summary>
    public bool ReadsFields =>
        InboundFilter.ReadsFields(Filter)
        || PromptTemplate.ReadsFields(Template)
        || (SessionMode == ByKey && PromptTemplate.ReadsFields(SessionKey!));

    public const string Webhook = "webhook";
    public const string Scheduled = "scheduled";
    public const string PerRequest = "perRequest";
    public const string PerTrigger = "perTrigger";
    public const string ByKey = "byKey";

    /// <summary>The type of the sessions that triggers make.</summary>
    public const string SessionType = "trigger";

    public static string SealPurpose(string project, string uid) => $"trigger:{project}:{uid}";
}
