using Postern.Access;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>Composes the relay: the doors of planes, their connections, and the routes for its owner.</summary>
internal static class RelayServerFeature
{
    public static IServiceCollection AddRelayServer(this IServiceCollection services)
    {
        services
            .AddSingleton<RelayIdentity>()
            .AddSingleton<RelayPlaneStore>()
            .AddSingleton<EnvelopeStore>()
            .AddSingleton<ConnectionStore>()
            .AddSingleton<PageStore>()
            .AddSingleton<PlaneTold>()
            .AddSingleton<PlaneStores>()
            .AddSingleton<DoorLists>()
            .AddSingleton<ArrivalRates>()
            .AddSingleton<EnvelopeWaiters>()
            .AddSingleton<Arrivals>();
        services
            .AddSingleton<Enrolments>()
            .AddSingleton<PlaneEnds>()
            .AddSingleton<PlaneHandshakes>()
            .AddSingleton<RelayAudit>()
            .AddSingleton<RelayConnections>()
            .AddSingleton<ArrivalRoutes>()
            .AddSingleton<PageRoutes>()
            .AddSingleton<EnrolmentRoutes>()
            .AddSingleton<ConnectRoutes>()
            .AddSingleton<RelayAdminRoutes>()
            .AddBackground<RelaySweeper>();
        return services;
    }

    public static Doors MapRelayServer(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<ArrivalRoutes>().Map(doors);
        services.GetRequiredService<PageRoutes>().Map(doors);
        services.GetRequiredService<EnrolmentRoutes>().Map(doors);
        services.GetRequiredService<ConnectRoutes>().Map(doors);
        services.GetRequiredService<RelayAdminRoutes>().Map(doors);
        return doors;
    }
}
