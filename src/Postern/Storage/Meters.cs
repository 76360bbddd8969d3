using System.Diagnostics.Metrics;

namespace Postern.Storage;

/// <summary>Makes the product's instruments. All have one meter name, which an exporter is configured with.</summary>
internal static class Meters
{
    public const string Name = "Postern";

    private static readonly Meter Meter = new(Name);

    public static Counter<long> Counter(string name, string unit, string description) =>
        Meter.CreateCounter<long>(name, unit, description);

    public static UpDownCounter<long> Level(string name, string unit, string description) =>
        Meter.CreateUpDownCounter<long>(name, unit, description);

    public static Histogram<double> Seconds(string name, string description) =>
        Meter.CreateHistogram<double>(name, "s", description);

    public static Histogram<int> Sizes(string name, string unit, string description) =>
        Meter.CreateHistogram<int>(name, unit, description);

    /// <param name="look">Asked whenever somebody reads the gauge.</param>
    public static ObservableGauge<T> Gauge<T>(string name, Func<T> look, string unit, string description)
        where T : struct => Meter.CreateObservableGauge(name, look, unit, description);

    public static KeyValuePair<string, object?> Tag(string name, object? value) => new(name, value);
}
