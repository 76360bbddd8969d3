using Postern.Access;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>Composes triggers: requests and schedules that start turns.</summary>
internal static class TriggersFeature
{
    public static IServiceCollection AddTriggers(this IServiceCollection services)
    {
        services
            .AddSingleton<InboundFinder>()
            .AddSingleton<TriggerStore>()
            .AddSingleton<RelayedTriggers>()
            .AddSingleton<CaptureStore>()
            .AddSingleton<CaptureMatches>()
            .AddSingleton<CaptureProgress>()
            .AddSingleton<CaptureSession>()
            .AddSingleton<CaptureStart>()
            .AddSingleton<TriggerFields>()
            .AddSingleton<CaptureReader>()
            .AddSingleton<RemovedTriggers>()
            .AddSingleton<TriggerUrls>()
            .AddSingleton<TriggerActions>()
            .AddSingleton<TriggerRoutes>()
            .AddSingleton<InboundRoutes>()
            .AddSingleton<ExecutionRoutes>();
        services.AddBackground<TriggerScheduler>();
        services.AddBackground<CaptureRetention>();
        return services;
    }

    public static Doors MapTriggers(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<TriggerRoutes>().Map(doors);
        services.GetRequiredService<InboundRoutes>().Map(doors);
        services.GetRequiredService<ExecutionRoutes>().Map(doors);
        return doors;
    }
}
