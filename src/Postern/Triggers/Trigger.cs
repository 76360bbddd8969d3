using Postern.Access;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// A public URL or a schedule that starts runs of an agent from a prompt template. Its captured requests are its
/// captures. They belong to <see cref="Uid"/>, so a trigger that is made again under the same name starts without any.
/// Its secrets are sealed under the master key, bound to this row.
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

    [Column("project")]
    public required string Project { get; init; }

    [Column]
    public required TriggerName Name { get; init; }

    [Column("uid")]
    public required string Uid { get; init; }

    [Column("agent")]
    public string Agent { get; init; } = "";

    /// <summary>Further members that callers sent, as JSON; passed to the agent.</summary>
    [Column("settings")]
    public string? Settings { get; init; }

    [Column("template")]
    public string Template { get; init; } = "";

    [Column("active")]
    public bool IsActive { get; init; } = true;

    [Column("mode")]
    public string Mode { get; init; } = Webhook;

    [Column("cron")]
    public string? Cron { get; init; }

    [Column("zone")]
    public string? Zone { get; init; }

    [Column("session_mode")]
    public string SessionMode { get; init; } = PerRequest;

    [Column("session_key")]
    public string? SessionKey { get; init; }

    [Column("auth_scheme")]
    public string? AuthScheme { get; init; }

    [Column("auth_header")]
    public string? AuthHeader { get; init; }

    [Column("auth_sealed")]
    public byte[]? AuthSealed { get; init; }

    /// <summary>The form of a described sender's signature; null for a scheme with a row of its own.</summary>
    public HmacForm? AuthForm { get; init; }

    [Column("auth_form")]
    public string? AuthFormJson
    {
        get => AuthForm?.ToJson();
        init => AuthForm = value is null ? null : HmacForm.FromJson(value);
    }

    [Column("filter")]
    public string? Filter { get; init; }

    /// <summary>Lately replaced secrets, sealed; null when there are none.</summary>
    [Column("retired_sealed")]
    public byte[]? RetiredSealed { get; init; }

    /// <summary>The trigger for the audit.</summary>
    public AuditTrigger Audited => new(Project, Name.Scope, Uid);

    /// <summary>The header in which its senders name a delivery; null: the known headers.</summary>
    [Column("delivery_id_header")]
    public string? DeliveryIdHeader { get; init; }

    public IReadOnlyList<string> Methods { get; init; } = [];

    [Column("methods")]
    public string? MethodList
    {
        get => string.Join(',', Methods);
        init => Methods = (value ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries);
    }

    [Column("max_in_flight")]
    public long MaxInFlight { get; init; } = StandardMaxInFlight;

    [Column("deadline_seconds")]
    public long? DeadlineSeconds { get; init; }

    [Column("rate_limit")]
    public long? RateLimit { get; init; }

    /// <summary>Number of captures whose work has not ended.</summary>
    [Column("in_flight")]
    public long InFlight { get; init; }

    [Column("received")]
    public long Received { get; init; }

    [Column("last_at")]
    public long? LastAt { get; init; }

    /// <summary>The next occurrence of its schedule. <see cref="DueAt"/> is when it fires, a little later.</summary>
    [Column("next_at")]
    public long? NextAt { get; init; }

    [Column("due_at")]
    public long? DueAt { get; init; }

    /// <summary>When its secrets were changed last, and by whom; null when an older version did it.</summary>
    [Column("auth_changed_at")]
    public long? AuthChangedAt { get; init; }

    [Column("auth_changed_by")]
    public string? AuthChangedBy { get; init; }

    /// <summary>Why its schedule cannot go on; null while it can.</summary>
    [Column("schedule_problem")]
    public string? ScheduleProblem { get; init; }

    [Column("created_at")]
    public required long CreatedAt { get; init; }

    [Column("updated_at")]
    public required long UpdatedAt { get; init; }

    /// <summary>Whether the filter, the template or the key reads a request's body.</summary>
    public bool ReadsFields =>
        InboundFilter.ReadsFields(Filter)
        || PromptTemplate.ReadsFields(Template)
        || (SessionMode == ByKey && PromptTemplate.ReadsFields(SessionKey!));

    /// <summary>A trigger of which only the name is known.</summary>
    public static Trigger Empty(string project, TriggerName name, long now) =>
        new()
        {
            Project = project,
            Name = name,
            Uid = Id.New("trg", now),
            CreatedAt = now,
            UpdatedAt = now,
        };

    /// <summary>Returns the same trigger with the default for everything that callers may set.</summary>
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
            AuthChangedAt = AuthChangedAt,
            AuthChangedBy = AuthChangedBy,
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
