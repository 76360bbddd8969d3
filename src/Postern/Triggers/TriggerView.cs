using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record TriggerView
{
    [Member("The trigger's id.")]
    public required string TriggerId { get; init; }

    [Member("Whose it is: user/{id} or org/{id}.")]
    public required string Namespace { get; init; }

    [Member("The path of its public URL.")]
    public required string InboundUrl { get; init; }

    [Member("The slug of the agent that is started.")]
    public required string Agent { get; init; }

    [Member("The message to the agent.")]
    public required string PromptTemplate { get; init; }

    [Member("Whether requests start anything.")]
    public required bool IsActive { get; init; }

    [Word("What starts it.", Trigger.Webhook, Trigger.Scheduled)]
    public required string ActivationMode { get; init; }

    [Member("When a schedule fires.")]
    public required string? CronExpression { get; init; }

    [Member("The schedule's zone.")]
    public required string? CronTimezone { get; init; }

    [At("When it fires next.")]
    public required string? NextRunAt { get; init; }

    [Member("Why it does not fire.")]
    public required string? ScheduleProblem { get; init; }

    [Word("Which requests share a session.", Trigger.PerRequest, Trigger.PerTrigger, Trigger.ByKey)]
    public required string SessionMode { get; init; }

    [Member("The template of the session's key.")]
    public required string? SessionKey { get; init; }

    [Member("Whether requests prove who sends them.")]
    public required bool WebhookAuthConfigured { get; init; }

    [Member("How they prove it.")]
    public required string? WebhookAuthScheme { get; init; }

    [Member("In which header.")]
    public required string? WebhookAuthHeader { get; init; }

    [Chosen("Which requests start anything.")]
    public required JsonElement? Filter { get; init; }

    [Member("The header by which a repeat is known.")]
    public required string? DeliveryIdHeader { get; init; }

    [Member("Methods that are taken beside POST, PUT, PATCH and DELETE.")]
    public required IReadOnlyList<string> Methods { get; init; }

    [Member("Requests under way at once.")]
    public required long MaxInFlight { get; init; }

    [Member("Seconds that a request may last.")]
    public required long? DeadlineSeconds { get; init; }

    [Member("Requests a minute.")]
    public required long? RateLimit { get; init; }

    [Chosen("What else was put, kept as it came.")]
    public required JsonElement? Settings { get; init; }

    [Member("Requests under way.")]
    public required long InFlight { get; init; }

    [Member("Requests so far.")]
    public required long RequestCount { get; init; }

    [At("When the last one came.")]
    public required string? LastRequestAt { get; init; }

    [Member("Whether a relay that this server has joined hands requests on to it; absent when none is joined.")]
    public required bool? Relayed { get; init; }

    [Member("Why it does not.")]
    public required string? NotRelayed { get; init; }

    [At("When it was made.")]
    public required string CreatedAt { get; init; }

    [At("When it changed last.")]
    public required string UpdatedAt { get; init; }

    public static TriggerView Of(Trigger t, bool isDefault, RelayedTriggers relayed) =>
        new()
        {
            TriggerId = t.Name.Id,
            Namespace = t.Name.Namespace,
            InboundUrl = InboundOf(t, isDefault),
            Agent = t.Agent,
            PromptTemplate = t.Template,
            IsActive = t.IsActive,
            ActivationMode = t.Mode,
            CronExpression = t.Cron,
            CronTimezone = t.Zone ?? (t.Mode == Trigger.Scheduled ? "UTC" : null),
            NextRunAt = Wire.Iso(t.NextAt),
            ScheduleProblem = t.ScheduleProblem,
            SessionMode = t.SessionMode,
            SessionKey = t.SessionKey,
            WebhookAuthConfigured = t.AuthScheme is not null,
            WebhookAuthScheme = t.AuthScheme,
            WebhookAuthHeader = t.AuthHeader,
            Filter = FilterOf(t),
            DeliveryIdHeader = t.DeliveryIdHeader,
            Methods = t.Methods,
            MaxInFlight = t.MaxInFlight,
            DeadlineSeconds = t.DeadlineSeconds,
            RateLimit = t.RateLimit,
            Settings = Json(t.Settings),
            InFlight = t.InFlight,
            RequestCount = t.Received,
            LastRequestAt = Wire.Iso(t.LastAt),
            Relayed = relayed.IsJoined ? relayed.WhyNot(t) is null : null,
            NotRelayed = relayed.IsJoined ? relayed.WhyNot(t) : null,
            CreatedAt = Wire.Iso(t.CreatedAt),
            UpdatedAt = Wire.Iso(t.UpdatedAt),
        };

    public static string InboundOf(Trigger t, bool isDefault) =>
        $"/inbound/{(isDefault ? "" : t.Project + "/")}{t.Name.Path}";

    private static JsonElement? FilterOf(Trigger t) =>
        t.Filter is null ? null : JsonSerializer.Deserialize<JsonElement>(InboundFilter.Readable(t.Filter), Wire.Json);

    private static JsonElement? Json(string? text) =>
        text is null ? null : JsonSerializer.Deserialize<JsonElement>(text, Wire.Json);
}
