using Postern.Access;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Composes many at once: each action by the code that does it to one.</summary>
internal static class BulkFeature
{
    public static IServiceCollection AddBulk(this IServiceCollection services)
    {
        services
            .AddSingleton<BulkPreviews>()
            .AddSingleton<BulkStore>()
            .AddSingleton<BulkJobs>()
            .AddSingleton<BulkRoutes>();
        foreach (var retries in (bool[])[false, true])
            services
                .AddSingleton<BulkAction>(s => new RunBulk(
                    retries,
                    s.GetRequiredService<Database>(),
                    s.GetRequiredService<RunMatches>(),
                    s.GetRequiredService<RunActions>()
                ))
                .AddSingleton<BulkAction>(s => new DeliveryBulk(
                    retries,
                    s.GetRequiredService<Database>(),
                    s.GetRequiredService<DeliveryMatches>(),
                    s.GetRequiredService<Redelivery>(),
                    s.GetRequiredService<DeliveryRecorder>(),
                    s.GetRequiredService<HiddenSubjects>()
                ));
        return services
            .AddSingleton<BulkAction, SessionBulk>()
            .AddSingleton<BulkAction, CaptureBulk>()
            .AddBackground<BulkWorker>()
            .AddBackground<BulkRetention>();
    }

    public static Doors MapBulk(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<BulkRoutes>().Map(doors);
        return doors;
    }
}
