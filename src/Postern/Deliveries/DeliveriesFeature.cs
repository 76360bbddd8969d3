using Postern.Access;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Composes deliveries: the sender and its targets.</summary>
internal static class DeliveriesFeature
{
    public static IServiceCollection AddDeliveries(this IServiceCollection services)
    {
        services
            .AddSingleton<HostResolver>(System.Net.Dns.GetHostAddressesAsync)
            .AddSingleton<OutboundGuard>()
            .AddSingleton<TargetCheck>()
            .AddSingleton<DeliveryStore>()
            .AddSingleton<DeliveryMatches>()
            .AddSingleton<DeliverySender>()
            .AddSingleton<Outbox>()
            .AddSingleton<DeliveryRecorder>()
            .AddSingleton<WebhookEndpoints>()
            .AddSingleton<DeliveryPurpose, EventPurpose>()
            .AddSingleton<EndpointActions>()
            .AddSingleton<EndpointRoutes>();
        services
            .AddSingleton<Redelivery>()
            .AddSingleton<DeliveryWhy>()
            .AddSingleton<DeliveryRoutes>()
            .AddBackground<DeliveryWorker>()
            .AddBackground<DeliveryKeeper>();
        return services;
    }

    public static Doors MapDeliveries(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<EndpointRoutes>().Map(doors);
        services.GetRequiredService<DeliveryRoutes>().Map(doors);
        return doors;
    }
}
