using Postern.Access;
using Postern.Relay.Plane;
using Postern.Settings;

namespace Postern.Hosting;

/// <summary>
/// The command <c>postern serve</c>: opens the folder and the database, prepares the first start, listens, and closes
/// everything in order at the end.
/// </summary>
internal static class ServeCommand
{
    private static readonly TimeSpan FirstLinkTime = TimeSpan.FromMinutes(10);

    public static async Task<int> RunAsync(ServeOptions serve, CancellationToken cancel)
    {
        await using var ground = await ServeGround.OpenAsync(serve, cancel);
        var app = Server.Build(ground.Database, ground.Master, ground.Options, serve.Urls, TimeProvider.System);
        await using (app)
        {
            using var rootKey = await app
                .Services.GetRequiredService<FirstStart>()
                .RunAsync(Environment.GetEnvironmentVariable("POSTERN_ROOT_KEY"));
            var plane = await JoinAsync(app, serve, cancel);
            await app.StartAsync(cancel);
            var address = app.Services.GetRequiredService<ServerAddress>();
            if (app.Urls.FirstOrDefault() is { } first)
                address.ListensOn(first);
            else
            {
                address.ListensNowhere();
                address.IsRelayedAt(plane?.Url);
            }
            HostLog.Serving(app.Logger, ProductVersion.Text, string.Join(", ", app.Urls), ground.Database.Kind);
            if (address.NamesItselfAlone(app.Urls))
                HostLog.NamesItselfAlone(app.Logger, address.Url);
            if (serve.Dev)
                HostLog.Development(app.Logger);
            if (rootKey.Text is { } key)
            {
                Greet(key, address.Url, await FirstLinkAsync(app, key));
                rootKey.IsPrinted = true;
            }
            Terminal.WriteLine($"listening {(app.Urls.Count > 0 ? "on" : "nowhere, reached at")} {address.Url}");
            await app.WaitForShutdownAsync(cancel);
            if (app.Services.GetRequiredService<AccessWatch>().EndedBecause is { } reason)
                throw new SetupException(reason);
        }
        return 0;
    }

    /// <summary>Returns the relay through which this server is reached, or null when none was named.</summary>
    private static async Task<JoinedPlane?> JoinAsync(WebApplication app, ServeOptions serve, CancellationToken cancel)
    {
        var store = app.Services.GetRequiredService<PlaneStore>();
        if (serve.Relay is { } asked)
            return await PlaneCommands.JoinAsync(
                app.Services.GetRequiredService<PlaneEnrolment>(),
                store,
                asked,
                Environment.MachineName,
                cancel
            );
        var joined = await store.ListAsync();
        if (serve.Urls == ListenUrls.None && joined.Count == 0)
            throw new SetupException("--urls none needs a relay: name its code with --relay, or listen somewhere.");
        return joined.FirstOrDefault();
    }

    /// <summary>
    /// A link into the console, usable once and valid long enough to be found; null when there is no console.
    /// </summary>
    private static async Task<string?> FirstLinkAsync(WebApplication app, string rootKey)
    {
        if (!app.Services.GetRequiredService<PosternOptions>().Console.Enabled)
            return null;
        var (project, key) = (
            await app.Services.GetRequiredService<Projects>().DefaultAsync(),
            ApiKey.TryParse(rootKey)!.Value.Id
        );
        return await app.Services.GetRequiredService<ConsoleSessions>().LinkAsync(project!, key, FirstLinkTime);
    }

    /// <summary>
    /// Prints the root key, once (this output is often kept as a log), with three commands that can be pasted.
    /// </summary>
    private static void Greet(string rootKey, string url, string? link)
    {
        const string key = "-H \"Authorization: Bearer $KEY\"";
        const string start =
            """{"type":"chat","externalId":"hello","taskIdentifier":"echo","triggerConfig":{"basePayload":{}}}""";
        const string message =
            """{"kind":"message","payload":{"chatId":"hello","trigger":"submit-message","message":"""
            + """{"id":"1","role":"user","parts":[{"type":"text","text":"Hello, door."}]}}}""";
        Terminal.WriteLine(
            $"""
            The root key, shown this once. Keep it; the commands find it here:

              export U={url} KEY={rootKey}

            Try it:

              curl -sN -X POST $U/api/v1/sessions {key} -d '{start}'
              curl -s $U/realtime/v1/sessions/hello/in/append {key} -d '{message}'
              curl -sN $U/realtime/v1/sessions/hello/out {key} -H 'Timeout-Seconds: 2'

            """
        );
        if (link is not null)
            Terminal.WriteLine(
                $"""
                The console, good once within 10 minutes (afterwards: postern console):

                  {url}/console/sign-in#{link}

                """
            );
    }
}
