using Microsoft.AspNetCore.WebSockets;
using Postern.Access;
using Postern.Http;
using Postern.Relay.Server;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// Composes the relay: a server of its own with its own door table. It has keys and an audit like every server, but no
/// sessions, runs, approvals or triggers.
/// </summary>
internal static class RelayServer
{
    public static WebApplication Build(
        Database database,
        MasterKey master,
        PosternOptions options,
        string urls,
        TimeProvider clock
    )
    {
        // The address of a sender and that of an administrator are found in the same way.
        options.Operators.TrustedProxies = options.RelayServer.TrustedProxies;
        var builder = Server.BuilderOf(options, urls);
        Compose(builder.Services, database, master, options, clock);

        var app = builder.Build();
        database.Changes.Log = app.Services.GetRequiredService<ILogger<Database>>();
        app.Use(next =>
            http =>
            {
                AnswerHeaders.Set(http.Response);
                return Framing.Validate(http) is { } unclear ? unclear.ExecuteAsync(http) : next(http);
            }
        );
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = Timeout.InfiniteTimeSpan });
        var doors = MapDoors(app);
        Doors.Guard(app);
        app.Services.GetRequiredService<DoorTable>().Doors = doors;
        app.UseRouting();
        app.Use(next =>
            http =>
                http.GetEndpoint() is null ? new Refusal(404, "Not found", "not_found").ExecuteAsync(http) : next(http)
        );
        _ = app.Services.GetRequiredService<Telemetry>();
        app.Services.GetRequiredService<AccessWatch>().Ended += app.Lifetime.StopApplication;
        return app;
    }

    private static Doors MapDoors(WebApplication app)
    {
        var doors = new Doors(app.Services.GetRequiredService<Gate>());
        app.Services.GetRequiredService<HealthRoutes>().Map(doors, ReferencePage.Make(app));
        app.Services.GetRequiredService<AuditRoutes>().Map(doors);
        doors.MapRelayServer(app.Services);
        doors.MapTo(app);
        return doors;
    }

    private static void Compose(
        IServiceCollection services,
        Database database,
        MasterKey master,
        PosternOptions options,
        TimeProvider clock
    )
    {
        services.AddHost(database, master, options, clock).AddSingleton<RequestPipeline>();
        // A relay has no runs, so no worker could call it, and its projects begin empty.
        services
            .AddSingleton<ReadRunState>((_, _) => ValueTask.FromResult<RunState?>(null))
            .AddSingleton<NoLiveRunSince>(RunStore.NoneLivesSince)
            .AddSingleton<ProjectSeed>(Nothing);
        services.AddAccess().AddRelayServer();
    }

    /// <summary>The content of a new project of a relay.</summary>
    public static ValueTask Nothing(Tx tx, string project) => ValueTask.CompletedTask;
}
