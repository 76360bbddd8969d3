using Postern.Metrics;

namespace Postern.Pages;

/// <summary>A period that charts show.</summary>
/// <param name="Name">As it stands in the address.</param>
/// <param name="Steps">Minutes or hours.</param>
internal sealed record ChartSpan(string Name, string Label, MetricWidth Width, int Steps)
{
    public static readonly ChartSpan[] All =
    [
        new("1h", "Last hour", MetricWidth.Minute, 60),
        new("48h", "48 hours", MetricWidth.Minute, 48 * 60),
        new("90d", "90 days", MetricWidth.Hour, 90 * 24),
    ];

    /// <summary>The charts of a group fit on one page when their tables are short.</summary>
    public bool ShowsGroup => Steps <= 60;

    /// <summary>The minutes or hours up to now, including the present one.</summary>
    public (long From, long To) Of(long now)
    {
        var to = Width.StartOf(now) + Width.Length;
        return (to - (Steps * Width.Length), to);
    }

    public static ChartSpan? Find(string name) => Array.Find(All, span => span.Name == name);
}
