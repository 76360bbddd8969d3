namespace Postern.Deliveries;

/// <summary>An endpoint as it was put.</summary>
/// <param name="Secret">The secret that was made for it, to be shown this once; null where none was made.</param>
internal sealed record SavedEndpoint(WebhookEndpoint Endpoint, bool IsNew, string? Secret);
