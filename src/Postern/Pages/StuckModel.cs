namespace Postern.Pages;

/// <summary>A page of stuck things, oldest first.</summary>
/// <param name="Rows">What is shown.</param>
/// <param name="Count">How many there are in all, at most <see cref="Stuck.Most"/>.</param>
/// <param name="Next">The cursor of the next page; null at the end.</param>
internal sealed record StuckModel(IReadOnlyList<StuckRow> Rows, int Count, string? Next);
