using Postern.Access;

namespace Postern.Pages;

/// <summary>The refusals that were found, each with its explanation.</summary>
internal sealed record RefusedModel(
    IReadOnlyList<(AuditEntry Entry, RefusalWords Words)> Rows,
    string? Next,
    PageFilters Filters
);
