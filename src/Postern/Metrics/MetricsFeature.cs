using Postern.Access;
using Postern.Storage;

namespace Postern.Metrics;

/// <summary>Composes metrics: the counts of nodes, stored and read.</summary>
internal static class MetricsFeature
{
    public static IServiceCollection AddKeptMetrics(this IServiceCollection services) =>
        services
            .AddSingleton<MetricStore>()
            .AddSingleton<MetricReader>()
            .AddSingleton<MetricRoutes>()
            .AddBackground<MetricWriter>();

    public static Doors MapMetrics(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<MetricRoutes>().Map(doors);
        return doors;
    }
}
