using System.Text.Json;
using Postern.Access;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// The name under which a repeat of a delivery is known. Where anything is signed, only that counts: a header beside it
/// could be made up by whoever has overheard the message, to start its work again or to swallow a real delivery.
/// Elsewhere, and where the trigger names a header for it, it is the sender's own name for the delivery.
/// </summary>
internal static class DeliveryId
{
    private const int MaxLength = 255;

    /// <summary>
    /// The headers in which senders name a delivery, the surer before the others. Not <c>X-Gitlab-Event-UUID</c>: it
    /// belongs to a chain of hooks that set each other off.
    /// </summary>
    public static readonly string[] Headers =
    [
        "X-GitHub-Delivery",
        "webhook-id",
        "svix-id",
        "Idempotency-Key",
        "X-Gitlab-Webhook-UUID",
        "Linear-Delivery",
        "X-Atlassian-Webhook-Identifier",
        "X-Shopify-Event-Id",
        "X-Shopify-Webhook-Id",
        "X-Request-UUID",
    ];

    /// <summary>Returns the name; null when a repeat of the request could not be told from another one.</summary>
    /// <param name="headers">The request's.</param>
    /// <param name="trigger">Whose request it is.</param>
    /// <param name="body">The body as JSON; null when it is none.</param>
    /// <param name="signed">What the signature says of the message; null where nothing is signed.</param>
    public static string? Of(IHeaderDictionary headers, Trigger trigger, JsonElement? body, string? signed)
    {
        if (trigger.DeliveryIdHeader is { } own && Named(headers, own) is { } chosen)
            return chosen;
        var scheme = trigger.AuthScheme is null ? null : SignatureScheme.Of(trigger.AuthScheme);
        if (scheme?.Repeat == RepeatBy.EventId)
            return (TextOf(body, "id") ?? TextOf(body, "event_id")) is { } id ? "event " + id : signed;
        if (scheme is not null && scheme.Repeat != RepeatBy.Delivery)
            return signed;
        return Headers.Select(name => Named(headers, name)).FirstOrDefault(name => name is not null);
    }

    private static string? Named(IHeaderDictionary headers, string name) =>
        headers.TryGetValue(name, out var given) && given is [{ Length: > 0 and <= MaxLength } id]
            ? $"{name.ToLowerInvariant()} {id}"
            : null;

    private static string? TextOf(JsonElement? body, string member) =>
        body is { ValueKind: JsonValueKind.Object } json
        && json.TryGetProperty(member, out var value)
        && value.ValueKind == JsonValueKind.String
        && JsonText.Of(value) is { Length: > 0 and <= MaxLength } text
            ? text
            : null;
}
