using Postern.Approvals;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of questions.</summary>
/// <param name="Found">Those that the filters find.</param>
/// <param name="Filters">As they were asked.</param>
/// <param name="Aside">How many that wait are left out, because this person has set them aside.</param>
/// <param name="Counts">How many of what is found have which status and agent.</param>
internal sealed record ApprovalsModel(Listed<Approval> Found, PageFilters Filters, long Aside, ListCounts Counts)
{
    public string? Next => Cursor.Text(Found.Next);
}
