using Postern.Access;
using Postern.Relay.Server;
using Postern.Settings;

namespace Postern.Hosting;

/// <summary>The command <c>postern relay serve</c>: serves the public side of planes that nobody can reach.</summary>
internal static class RelayServeCommand
{
    public static async Task<int> RunAsync(ServeOptions serve, CancellationToken cancel)
    {
        await using var ground = await ServeGround.OpenAsync(serve, cancel);
        var app = RelayServer.Build(ground.Database, ground.Master, ground.Options, serve.Urls, TimeProvider.System);
        await using (app)
        {
            using var rootKey = await app
                .Services.GetRequiredService<FirstStart>()
                .RunAsync(Environment.GetEnvironmentVariable("POSTERN_ROOT_KEY"));
            await app.StartAsync(cancel);
            var address = app.Services.GetRequiredService<ServerAddress>();
            address.ListensOn(app.Urls.First());
            HostLog.Serving(app.Logger, ProductVersion.Text, string.Join(", ", app.Urls), ground.Database.Kind);
            if (address.NamesItselfAlone(app.Urls))
                HostLog.NamesItselfAlone(app.Logger, address.Url);
            var keys = await app.Services.GetRequiredService<RelayIdentity>().KeysAsync();
            if (rootKey.Text is { } key)
            {
                Greet(key, serve.Data);
                rootKey.IsPrinted = true;
            }
            Terminal.WriteLine($"relay {keys.Relay}, key {keys.Current.Public.Fingerprint}");
            Terminal.WriteLine($"listening on {address.Url}");
            await app.WaitForShutdownAsync(cancel);
            if (app.Services.GetRequiredService<AccessWatch>().EndedBecause is { } reason)
                throw new SetupException(reason);
        }
        return 0;
    }

    private static void Greet(string rootKey, string data) =>
        Terminal.WriteLine(
            $"""
            The relay's root key, shown this once: {rootKey}

            Let a plane join, once and within 15 minutes:

              postern relay enrol NAME --data {data}

            """
        );
}
