using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>Further members are kept and given back as settings.</summary>
internal sealed record PutTrigger(
    [Text("The slug of the agent that is started; the default agent if left out. Cannot be changed.", 1, 128)]
        string? Agent,
    [Text("The message to the agent, with {{…}} for what the request holds.", 1, PromptTemplate.MaxTemplate)]
        string PromptTemplate,
    [Member("Whether requests start anything.")] bool? IsActive,
    [Word("What starts it. Cannot be changed.", Trigger.Webhook, Trigger.Scheduled)] string? ActivationMode,
    [Text("When a schedule fires: five fields.", 1, 100)] string? CronExpression,
    [Text("The schedule's IANA zone; UTC if left out.", 1, 64)] string? CronTimezone,
    [Word("Which requests share a session.", Trigger.PerRequest, Trigger.PerTrigger, Trigger.ByKey)]
        string? SessionMode,
    [Text("The template of the session's key, for byKey.", 1, 1000)] string? SessionKey,
    [Member("How a request proves who sends it; null: it does not.")] PutWebhookAuth? WebhookAuth,
    [Chosen("Which requests start anything.")] JsonElement? Filter,
    [Text("The header by which a repeat is known.", 1, 128)] string? DeliveryIdHeader,
    [Texts("Methods that are taken beside POST, PUT, PATCH and DELETE.", 7, 10)] IReadOnlyList<string>? Methods,
    [Whole("Requests under way at once.", 1, 1000)] long? MaxInFlight,
    [Whole("Seconds that a request may last.", 1, 2_592_000)] long? DeadlineSeconds,
    [Whole("Requests a minute.", 1, 1_000_000)] long? RateLimit
);
