using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record TriggerView(
    [Member("The trigger's id.")] string TriggerId,
    [Member("Whose it is: user/{id} or org/{id}.")] string Namespace,
    [Member("The path of its public URL.")] string InboundUrl,
    [Member("The slug of the agent that is started.")] string Agent,
    [Member("The message to the agent.")] string PromptTemplate,
    [Member("Whether requests start anything.")] bool IsActive,
    [Word("What starts it.", Trigger.Webhook, Trigger.Scheduled)] string ActivationMode,
    [Member("When a schedule fires.")] string? CronExpression,
    [Member("The schedule's zone.")] string? CronTimezone,
    [At("When it fires next.")] string? NextRunAt,
    [Member("Why it does not fire.")] string? ScheduleProblem,
    [Word("Which requests share a session.", Trigger.PerRequest, Trigger.PerTrigger, Trigger.ByKey)] string SessionMode,
    [Member("The template of the session's key.")] string? SessionKey,
    [Member("Whether requests prove who sends them.")] bool WebhookAuthConfigured,
    [Member("How they prove it.")] string? WebhookAuthScheme,
    [Member("In which header.")] string? WebhookAuthHeader,
    [Chosen("Which requests start anything.")] JsonElement? Filter,
    [Member("The header by which a repeat is known.")] string? DeliveryIdHeader,
    [Member("Methods that are taken beside POST, PUT, PATCH and DELETE.")] IReadOnlyList<string> Methods,
    [Member("Requests under way at once.")] long MaxInFlight,
    [Member("Seconds that a request may last.")] long? DeadlineSeconds,
    [Member("Requests a minute.")] long? RateLimit,
    [Chosen("What else was put, kept as it came.")] JsonElement? Settings,
    [Member("Requests under way.")] long InFlight,
    [Member("Requests so far.")] long RequestCount,
    [At("When the last one came.")] string? LastRequestAt,
    [At("When it was made.")] string CreatedAt,
    [At("When it changed last.")] string UpdatedAt
)
{
    public static TriggerView Of(Trigger t, bool isDefault) =>
        new(
            t.Name.Id,
            t.Name.Namespace,
            InboundOf(t, isDefault),
            t.Agent,
            t.Template,
            t.IsActive,
            t.Mode,
            t.Cron,
            t.Zone ?? (t.Mode == Trigger.Scheduled ? "UTC" : null),
            Wire.Iso(t.NextAt),
            t.ScheduleProblem,
            t.SessionMode,
            t.SessionKey,
            t.AuthScheme is not null,
            t.AuthScheme,
            t.AuthHeader,
            FilterOf(t),
            t.DeliveryIdHeader,
            t.Methods,
            t.MaxInFlight,
            t.DeadlineSeconds,
            t.RateLimit,
            Json(t.Settings),
            t.InFlight,
            t.Received,
            Wire.Iso(t.LastAt),
            Wire.Iso(t.CreatedAt),
            Wire.Iso(t.UpdatedAt)
        );

    public static string InboundOf(Trigger t, bool isDefault) =>
        $"/inbound/{(isDefault ? "" : t.Project + "/")}{t.Name.Path}";

    private static JsonElement? FilterOf(Trigger t) =>
        t.Filter is null ? null : JsonSerializer.Deserialize<JsonElement>(InboundFilter.Readable(t.Filter), Wire.Json);

    private static JsonElement? Json(string? text) =>
        text is null ? null : JsonSerializer.Deserialize<JsonElement>(text, Wire.Json);
}
