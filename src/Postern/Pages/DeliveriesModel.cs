using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of deliveries.</summary>
internal sealed record DeliveriesModel(Listed<Delivery> Found, PageFilters Filters, IReadOnlyList<string> Purposes)
{
    public string? Next => Cursor.Text(Found.Next);
}
