using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Composes the plane: the part of the server that connects to relays and answers the requests that they hand over.
/// </summary>
internal static class PlaneFeature
{
    public static IServiceCollection AddPlane(this IServiceCollection services)
    {
        services
            .AddSingleton<RequestPipeline>()
            .AddSingleton<PlaneStore>()
            .AddSingleton<EnvelopeStore>()
            .AddSingleton<PlaneMemory>()
            .AddSingleton<EnvelopeDispatch>()
            .AddSingleton<EnvelopeLanes>()
            .AddSingleton<PlaneDoors>()
            .AddSingleton<PageStore>()
            .AddSingleton<PageTexts>()
            .AddSingleton<PlanePages>()
            .AddSingleton<PlaneEvents>()
            .AddSingleton<PlaneParts>()
            .AddSingleton<PlaneEnrolment>()
            .AddSingleton<PageAnswerRoutes>()
            .AddSingleton<PlaneNodes>()
            .AddSingleton<PlaneWitness>()
            .AddSingleton<PlaneStates>()
            .AddSingleton<PlaneRoutes>();
        services.AddBackground<PlaneKeeper>();
        services.AddBackground<PlaneRetention>();
        return services;
    }

    public static Doors MapPlane(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<PlaneRoutes>().Map(doors);
        services.GetRequiredService<PageAnswerRoutes>().Map(doors);
        return doors;
    }
}
