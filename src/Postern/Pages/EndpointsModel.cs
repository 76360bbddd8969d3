using Postern.Deliveries;

namespace Postern.Pages;

/// <summary>A page of subscribers to events.</summary>
/// <param name="Next">The cursor of the next page; null at the end.</param>
internal sealed record EndpointsModel(IReadOnlyList<WebhookEndpoint> Rows, string? Next, PageFilters Filters);
