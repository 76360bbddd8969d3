using Postern.Access;

namespace Postern.Pages;

/// <summary>Refusals that were looked for, each with its words.</summary>
internal sealed record RefusedModel(
    IReadOnlyList<(AuditEntry Entry, RefusalWords Words)> Rows,
    string? Next,
    PageFilters Filters
);
