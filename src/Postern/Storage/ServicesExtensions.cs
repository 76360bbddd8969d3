namespace Postern.Storage;

/// <summary>Registers the services of folders.</summary>
internal static class ServicesExtensions
{
    /// <summary>Adds a loop that runs as long as the server. Other services can ask for it.</summary>
    public static IServiceCollection AddBackground<T>(this IServiceCollection services)
        where T : class, IHostedService => services.AddSingleton<T>().AddHostedService(s => s.GetRequiredService<T>());
}
