using Postern.Deliveries;

namespace Postern.Pages;

/// <summary>One subscriber to events; null: one is made.</summary>
/// <param name="Recent">
/// What became of its deliveries that ended in the last 24 hours, by status; at most 10,000.</param>
/// <param name="PausedUntil">Until when this node sends nothing to it; null: it sends.</param>
internal sealed record EndpointModel(
    WebhookEndpoint? Endpoint,
    IReadOnlyDictionary<string, long> Recent,
    long? PausedUntil
)
{
    /// <summary>Returns its state in a word: whether events are sent to it, and whether they arrive.</summary>
    public static string StateOf(WebhookEndpoint endpoint) =>
        !endpoint.Enabled ? "disabled"
        : endpoint.FailingSince is null ? "active"
        : "failing";

    public long Delivered => Recent.GetValueOrDefault(Delivery.Delivered);

    public long Dead => Recent.GetValueOrDefault(Delivery.Dead);
}
