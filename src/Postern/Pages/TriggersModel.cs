using Postern.Triggers;

namespace Postern.Pages;

/// <summary>A page of triggers, in the order of their creation.</summary>
/// <param name="Next">The cursor of the next page; null at the end.</param>
internal sealed record TriggersModel(IReadOnlyList<Trigger> Rows, string? Next, PageFilters Filters);
