using Postern.Access;
using Postern.Deliveries;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Dispatch;

/// <summary>
/// Composes dispatch: it gives runs to agents, and has the routes about a run together with its session.
/// </summary>
internal static class DispatchFeature
{
    public static IServiceCollection AddDispatch(this IServiceCollection services)
    {
        services
            .AddSingleton<EchoAgent>()
            .AddSingleton<EchoJobs>()
            .AddSingleton<Handover>()
            .AddSingleton<DispatchCallbacks>()
            .AddSingleton<DispatchOutcome>()
            .AddSingleton<DispatchBody>()
            .AddSingleton<AgentActions>()
            .AddSingleton<AgentRoutes>()
            .AddSingleton<IdentityRoutes>();
        services
            .AddSingleton<WhyNotDone>()
            .AddSingleton<RunReader>()
            .AddSingleton<ReadCaptureWhys>(s => s.GetRequiredService<WhyNotDone>().OfCapturesAsync)
            .AddSingleton<RunActions>()
            .AddSingleton<RunCreation>()
            .AddSingleton<RunRoutes>()
            .AddSingleton<ClaimRoutes>()
            .AddSingleton<DeliveryPurpose, AgentDispatch>()
            .AddSingleton<AgentNotices>()
            .AddSingleton<DeliveryPurpose>(s => s.GetRequiredService<AgentNotices>())
            .AddBackground<RunDispatcher>();
        return services;
    }

    public static Doors MapDispatch(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<IdentityRoutes>().Map(doors);
        services.GetRequiredService<AgentRoutes>().Map(doors);
        services.GetRequiredService<RunRoutes>().Map(doors);
        services.GetRequiredService<ClaimRoutes>().Map(doors);
        return doors;
    }
}
