using Postern.Access;
using Postern.Storage;

namespace Postern.History;

/// <summary>Composes history: reading transcripts.</summary>
internal static class HistoryFeature
{
    public static IServiceCollection AddHistory(this IServiceCollection services)
    {
        services.AddSingleton<HistoryReader>().AddSingleton<HistoryRoutes>();
        return services;
    }

    public static Doors MapHistory(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<HistoryRoutes>().Map(doors);
        return doors;
    }
}
