using Postern.Access;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of the audit.</summary>
internal sealed record AuditModel(Listed<AuditEntry> Found, PageFilters Filters)
{
    public string? Next => Http.Cursor.Text(Found.Next);
}
