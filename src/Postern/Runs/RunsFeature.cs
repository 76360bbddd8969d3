using Postern.Access;
using Postern.Deliveries;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>Composes runs: what they are and how they change.</summary>
internal static class RunsFeature
{
    public static IServiceCollection AddRuns(this IServiceCollection services)
    {
        services
            .AddSingleton<ReadRunState>(s => s.GetRequiredService<RunStore>().ReadStateAsync)
            .AddSingleton<NoLiveRunSince>(RunStore.NoneLivesSince)
            .AddSingleton<RunStore>()
            .AddSingleton<RunEvents>()
            .AddSingleton(s => new KeptCounts(
                s.GetRequiredService<Database>().Changes,
                s.GetRequiredService<TimeProvider>()
            ))
            .AddSingleton<RunCounts>()
            .AddSingleton<RunMatches>()
            .AddSingleton<Reactions<RunCreated>>()
            .AddSingleton<Reactions<RunMoved>>()
            .AddSingleton<Reactions<RunForgotten>>();
        services
            .AddSingleton<RunSubscribers>()
            .AddSingleton<RunMachine>()
            .AddSingleton<RunReports>()
            .AddSingleton<WorkflowStore>()
            .AddSingleton<WorkflowRoutes>()
            .AddSingleton<CallbackRoutes>()
            .AddSingleton<RunCallbacks>()
            .AddSingleton<DeliveryPurpose>(s => s.GetRequiredService<RunCallbacks>());
        services.AddBackground<RunReaper>();
        return services;
    }

    public static Doors MapRuns(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<WorkflowRoutes>().Map(doors);
        services.GetRequiredService<CallbackRoutes>().Map(doors);
        return doors;
    }
}
