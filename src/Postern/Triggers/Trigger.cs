using Postern.Access;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// A public URL, or a schedule, that starts runs of an agent from a prompt template. What came in through it are its
/// captures; they are bound to <see cref="Uid"/>, so that a trigger made again under its name starts empty. Its secrets
/// are sealed under the master key, bound to this row.
/// </summary>
internal sealed record Trigger
{
    public const string Webhook = "webhook";
    public const string Scheduled = "scheduled";
    public const string PerRequest = "perRequest";
    public const string PerTrigger = "perTrigger";
    public const string ByKey = "byKey";
    public const long StandardMaxInFlight = 20;

    /// <summary>The type of the sessions that triggers make.</summary>
    public const string SessionType = "trigger";

    public required string Project { get; init; }

    public required TriggerName Name { get; init; }

    public required string Uid { get; init; }

    public string Agent { get; init; } = "";

    /// <summary>What callers sent beside the known fields, JSON; handed to the agent.</summary>
    public string? Settings { get; init; }

    public string Template { get; init; } = "";

    public bool IsActive { get; init; } = true;

    public string Mode { get; init; } = Webhook;

    public string? Cron { get; init; }

    public string? Zone { get; init; }

    public string SessionMode { get; init; } = PerRequest;

    public string? SessionKey { get; init; }

    public string? AuthScheme { get; init; }

    public string? AuthHeader { get; init; }

    public byte[]? AuthSealed { get; init; }

    /// <summary>How a described sender writes its signature; null for a scheme that has a row of its own.</summary>
    public HmacForm? AuthForm { get; init; }

    public string? Filter { get; init; }

    /// <summary>Secrets that signed until lately, sealed; null when there are none.</summary>
    public byte[]? RetiredSealed { get; init; }

    /// <summary>As the audit names it.</summary>
    public AuditTrigger Audited => new(Project, Name.Scope, Uid);

    /// <summary>The header in which its senders name a delivery; null: the known ones.</summary>
    public string? DeliveryIdHeader { get; init; }

    public IReadOnlyList<string> Methods { get; init; } = [];

    public long MaxInFlight { get; init; } = StandardMaxInFlight;

    public long? DeadlineSeconds { get; init; }

    public long? RateLimit { get; init; }

    /// <summary>Captures whose work has not ended.</summary>
    public long InFlight { get; init; }

    public long Received { get; init; }

    public long? LastAt { get; init; }

    /// <summary>The next occurrence of its schedule; <see cref="DueAt"/> is when it fires, a little later.</summary>
    public long? NextAt { get; init; }

    public long? DueAt { get; init; }

    /// <summary>Why its schedule cannot go on; null while it can.</summary>
    public string? ScheduleProblem { get; init; }

    public required long CreatedAt { get; init; }

    public required long UpdatedAt { get; init; }

    /// <summary>Whether a request's body is looked into: by the filter, the template or the key.</summary>
    public bool ReadsFields =>
        InboundFilter.ReadsFields(Filter)
        || PromptTemplate.ReadsFields(Template)
        || (SessionMode == ByKey && PromptTemplate.ReadsFields(SessionKey!));

    /// <summary>A trigger that nothing is known of but its name.</summary>
    public static Trigger Empty(string project, TriggerName name, long now) =>
        new()
        {
            Project = project,
            Name = name,
            Uid = Id.New("trg", now),
            CreatedAt = now,
            UpdatedAt = now,
        };

    /// <summary>The same trigger with everything that callers may set at its default.</summary>
    public Trigger WithoutConfiguration() =>
        new()
        {
            Project = Project,
            Name = Name,
            Uid = Uid,
            InFlight = InFlight,
            Received = Received,
            LastAt = LastAt,
            NextAt = NextAt,
            DueAt = DueAt,
            ScheduleProblem = ScheduleProblem,
            CreatedAt = CreatedAt,
            UpdatedAt = UpdatedAt,
        };

    public Trigger WithoutAuth() =>
        this with
        {
            AuthScheme = null,
            AuthHeader = null,
            AuthSealed = null,
            AuthForm = null,
            RetiredSealed = null,
        };

    public static string SealPurpose(string project, string uid) => $"trigger:{project}:{uid}";
}
