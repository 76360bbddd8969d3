using Postern.Http;

namespace Postern.Triggers;

/// <summary>Further members are stored and returned as settings.</summary>
internal sealed record PutTrigger
{
    [Text("The slug of the agent that is started; the default agent if left out. Cannot be changed.", 1, 128)]
    public string? Agent { get; init; }

    [Text("The message to the agent, with {{…}} for what the request holds.", 1, Triggers.PromptTemplate.MaxTemplate)]
    public required string PromptTemplate { get; init; }

    [Member("Whether requests start anything.")]
    public bool? IsActive { get; init; }

    [Word("What starts it. Cannot be changed.", Trigger.Webhook, Trigger.Scheduled)]
    public string? ActivationMode { get; init; }

    [Text("When a schedule fires: five fields.", 1, 100, Trims = true)]
    public string? CronExpression { get; init; }

    [Text("The schedule's IANA zone; UTC if left out.", 1, 64)]
    public string? CronTimezone { get; init; }

    [Word("Which requests share a session.", Trigger.PerRequest, Trigger.PerTrigger, Trigger.ByKey)]
    public string? SessionMode { get; init; }

    [Text("The template of the session's key, for byKey.", 1, 1000)]
    public string? SessionKey { get; init; }

    [Member("How a request proves who sends it; null: it does not.")]
    public PutWebhookAuth? WebhookAuth { get; init; }

    [Member("Which requests start anything.")]
    public PutFilter? Filter { get; init; }

    [Text("The header by which a repeat is known.", 1, 128)]
    public string? DeliveryIdHeader { get; init; }

    [Texts("Methods that are taken beside POST, PUT, PATCH and DELETE.", 7, 10)]
    public IReadOnlyList<string>? Methods { get; init; }

    [Whole("Requests under way at once.", 1, 1000)]
    public long? MaxInFlight { get; init; }

    [Whole("Seconds that a request may last.", 1, 2_592_000)]
    public long? DeadlineSeconds { get; init; }

    [Whole("Requests a minute.", 1, 1_000_000)]
    public long? RateLimit { get; init; }
}
