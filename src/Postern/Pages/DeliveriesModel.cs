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
    /// <summary>The dead deliveries, counted by endpoint and answer.</summary>
    public IReadOnlyList<DeadSum> Dead { get; init; } = [];

    public string? Next => Cursor.Text(Found.Next);
}
