namespace Postern.Metrics;

/// <summary>The length of the intervals of metric rows.</summary>
/// <param name="Name">As it is asked for.</param>
/// <param name="Seconds">As it is stored.</param>
/// <param name="UsualSteps">So many are read when nothing is asked.</param>
/// <param name="MaxSteps">So many at most are read at once.</param>
internal sealed record MetricWidth(string Name, long Seconds, int UsualSteps, int MaxSteps)
{
    public static readonly MetricWidth Minute = new("minute", 60, 60, 48 * 60);

    public static readonly MetricWidth Hour = new("hour", 3600, 48, 92 * 24);

    /// <summary>Microseconds.</summary>
    public long Length => Seconds * 1_000_000;

    /// <summary>Returns the beginning of the interval that contains an instant.</summary>
    public long StartOf(long at) => at - (at % Length);

    public static MetricWidth? Find(string name) =>
        name == Minute.Name ? Minute
        : name == Hour.Name ? Hour
        : null;
}
