namespace Postern.Storage;

/// <summary>How folders register what they have.</summary>
internal static class ServicesExtensions
{
    /// <summary>A loop that runs as long as the server, and that others may ask for.</summary>
    public static IServiceCollection AddBackground<T>(this IServiceCollection services)
        where T : class, IHostedService => services.AddSingleton<T>().AddHostedService(s => s.GetRequiredService<T>());
}
