using Postern.Triggers;

namespace Postern.Pages;

/// <summary>A page of triggers, in the order in which they were made.</summary>
/// <param name="Next">The cursor of the next page; null at the end.</param>
internal sealed record TriggersModel(IReadOnlyList<Trigger> Rows, string? Next);
