using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of deliveries.</summary>
/// <param name="Whys">Why those that are pending are, by id.</param>
internal sealed record DeliveriesModel(
    Listed<Delivery> Found,
    PageFilters Filters,
    IReadOnlyList<string> Purposes,
    IReadOnlyDictionary<string, Why> Whys
)
{
    /// <summary>How many of what is found have which status and purpose, and go to whom.</summary>
    public required ListCounts Counts { get; init; }

    /// <summary>The dead deliveries, counted by endpoint and answer.</summary>
    public IReadOnlyList<DeadSum> Dead { get; init; } = [];

    public string? Next => Cursor.Text(Found.Next);
}
