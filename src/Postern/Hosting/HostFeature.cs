using Postern.Access;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>Composes the parts that every serving process has, a server and a relay alike.</summary>
internal static class HostFeature
{
    public static IServiceCollection AddHost(
        this IServiceCollection services,
        Database database,
        MasterKey master,
        PosternOptions options,
        TimeProvider clock
    ) =>
        services
            .AddSingleton(database)
            .AddSingleton(master)
            .AddSingleton(options)
            .AddSingleton(clock)
            .AddSingleton(new Telemetry(options.Telemetry))
            .AddSingleton<HealthRoutes>()
            .AddSingleton<DoorTable>()
            .AddSingleton<FirstStart>()
            .AddSingleton<ServerLife>()
            .AddSingleton<ServerAddress>();
}
