using Postern.Http;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of sessions.</summary>
internal sealed record SessionsModel(Listed<Session> Found, PageFilters Filters, ListCounts Counts)
{
    public string? Next => Cursor.Text(Found.Next);
}
