using Postern.Approvals;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of questions.</summary>
/// <param name="Found">Those that the filters find.</param>
/// <param name="Filters">As they were asked.</param>
/// <param name="Aside">How many that wait are left out, because this person has set them aside.</param>
internal sealed record ApprovalsModel(Listed<Approval> Found, PageFilters Filters, long Aside)
{
    public string? Next => Cursor.Text(Found.Next);
}
