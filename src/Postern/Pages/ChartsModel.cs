namespace Postern.Pages;

/// <summary>The charts that the overview shows, and those that it could.</summary>
/// <param name="Shown">The chart of the address.</param>
/// <param name="Span">The time that they look back over.</param>
/// <param name="Kinds">All that whoever is signed in may see.</param>
/// <param name="Tables">The shown one, and with a short span those of its group.</param>
internal sealed record ChartsModel(
    ChartKind Shown,
    ChartSpan Span,
    IReadOnlyList<ChartKind> Kinds,
    IReadOnlyList<ChartTable> Tables
);
