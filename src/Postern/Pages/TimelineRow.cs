namespace Postern.Pages;

/// <summary>One row of a run's picture.</summary>
/// <param name="Label">What happened.</param>
/// <param name="From">Microseconds.</param>
/// <param name="To">Microseconds; the same for an instant.</param>
/// <param name="Kind">A phase, <c>try</c>, <c>pause</c> or <c>refused</c>: its colour.</param>
internal sealed record TimelineRow(
    string Label,
    long From,
    long To,
    string Kind,
    string Who,
    string Outcome,
    bool IsBad
);
