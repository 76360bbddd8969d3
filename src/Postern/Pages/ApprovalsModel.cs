using Postern.Approvals;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of questions.</summary>
internal sealed record ApprovalsModel(Listed<Approval> Found, PageFilters Filters)
{
    public string? Next => Cursor.Text(Found.Next);
}
