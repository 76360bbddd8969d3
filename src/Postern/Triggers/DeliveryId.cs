using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Access;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// Finds the name under which a repeat of a delivery is recognised. When something is signed, only signed parts count:
/// anybody who has seen the message could change a header, to start its work again or to suppress a real delivery.
/// Otherwise, or when the trigger names a header for it, it is the sender's name of the delivery.
/// </summary>
internal static class DeliveryId
{
    private const int MaxLength = 255;

    /// <summary>
    /// The headers in which senders name a delivery, the more reliable first. Not <c>X-Gitlab-Event-UUID</c>: it names
    /// a chain of hooks that cause each other.
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

    /// <summary>Returns the name, or null when a repeat could not be told from another request.</summary>
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
        headers.TryGetValue(name, out var given) && given is [{ Length: > 0 } id]
            ? $"{name.ToLowerInvariant()} {Kept(id)}"
            : null;

    private static string? TextOf(JsonElement? body, string member) =>
        body is { ValueKind: JsonValueKind.Object } json
        && json.TryGetProperty(member, out var value)
        && value.ValueKind == JsonValueKind.String
        && JsonText.Of(value) is { Length: > 0 } text
            ? Kept(text)
            : null;

    /// <summary>A longer name is kept as its digest: a sender may name its deliveries by anything.</summary>
    private static string Kept(string id) =>
        id.Length <= MaxLength
            ? id
            : "sha256 " + Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(id.AsSpan())));
}
