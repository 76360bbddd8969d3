using Postern.Storage;

namespace Postern.Live;

/// <summary>Composes live: streams and waits.</summary>
internal static class LiveFeature
{
    public static IServiceCollection AddLive(this IServiceCollection services)
    {
        services
            .AddSingleton<Tails>()
            .AddSingleton<StreamContext>()
            .AddSingleton<LongPolls>()
            .AddBackground<StreamRegistry>();
        return services;
    }
}
