using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Console;
using Postern.Access;
using Postern.Agents;
using Postern.Approvals;
using Postern.Bulk;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.History;
using Postern.Http;
using Postern.Live;
using Postern.Metrics;
using Postern.Pages;
using Postern.Relay.Plane;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Hosting;

/// <summary>
/// Composes the server: services, one line for each feature, the guard. The features are fixed; folder, database and
/// addresses come from <see cref="ServeOptions"/>.
/// </summary>
internal static class Server
{
    /// <summary>The most bytes of all headers of a request; beyond it, the server answers 431.</summary>
    private const int MaxHeaderBytes = 32 * 1024;
    private const int MaxUnreadBytes = 128 * 1024;
    private static readonly TimeSpan ShutdownTime = TimeSpan.FromSeconds(15);

    public static WebApplication Build(
        Database database,
        MasterKey master,
        PosternOptions options,
        string urls,
        TimeProvider clock
    )
    {
        var builder = BuilderOf(options, urls);
        Compose(builder.Services, database, master, options, clock);

        var app = builder.Build();
        database.Changes.Log = app.Services.GetRequiredService<ILogger<Database>>();
        app.Services.GetRequiredService<ReactionTable>().Declare();
        var doors = MapDoors(app);
        Doors.Guard(app);
        _ = app.Services.GetRequiredService<Telemetry>();
        app.Services.GetRequiredService<DoorTable>().Doors = doors;
        app.Use(next =>
            http =>
            {
                AnswerHeaders.Set(http.Response);
                return Framing.Validate(http) is { } unclear ? unclear.ExecuteAsync(http) : next(http);
            }
        );
        app.UseRouting();
        app.Use(next =>
            http =>
                http.GetEndpoint() is null || !RelayedDoors.MayReach(http, options.Relay) ? NothingThere(http)
                : RelayedDoors.WhyNot(http) is { } refused ? refused.ExecuteAsync(http)
                : next(http)
        );
        app.Lifetime.ApplicationStopping.Register(() => Stop(app));
        app.Services.GetRequiredService<AccessWatch>().Ended += app.Lifetime.StopApplication;
        return app;
    }

    /// <summary>Returns a builder with the limits that every server has, before any feature is added.</summary>
    public static WebApplicationBuilder BuilderOf(PosternOptions options, string urls)
    {
        // Empty, because settings come only through SettingsReader. The other builders watch the current folder for
        // changed files, and the database's writes would be such changes.
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory }
        );
        builder.Configuration.AddInMemoryCollection();
        builder.Services.AddRouting();
        Log(builder.Logging, options.Log);
        Listen(builder, urls);
        Descriptors.Bound(builder.Services, [.. options.Operators.TrustedProxies.Select(IPNetwork.Parse)]);
        builder.WebHost.UseShutdownTimeout(ShutdownTime);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownTime);
        return builder;
    }

    /// <summary>A path without a route is answered in the error format that its clients expect.</summary>
    private static Task NothingThere(HttpContext http)
    {
        ErrorFormat.SetByPath(http, http.Request.Path, ApprovalFamily.Instance, TriggerFamily.Instance);
        if (http.RequestServices.GetRequiredService<PosternOptions>().Console.Enabled)
            ErrorFormat.SetByPath(http, http.Request.Path, ConsoleFamily.Instance);
        return new Refusal(404, "Not found", "not_found").ExecuteAsync(http);
    }

    /// <summary>Maps the features' routes: the table of contents.</summary>
    private static Doors MapDoors(WebApplication app)
    {
        var services = app.Services;
        var doors = new Doors(services.GetRequiredService<Gate>());
        services.GetRequiredService<HealthRoutes>().Map(doors, ReferencePage.Make(app));
        doors
            .MapAccess(services)
            .MapMetrics(services)
            .MapDispatch(services)
            .MapRuns(services)
            .MapTriggers(services)
            .MapApprovals(services)
            .MapDeliveries(services)
            .MapSessions(services)
            .MapHistory(services)
            .MapPlane(services)
            .MapBulk(services);
        services.GetRequiredService<ConsoleRoutes>().Map(doors);
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
        services
            .AddHost(database, master, options, clock)
            .AddSingleton<ReactionTable>()
            .AddSingleton<ServerDoctor>()
            .AddSingleton<AskDoctor>(s => s.GetRequiredService<ServerDoctor>().AskAsync);
        services
            .AddAccess()
            .AddLive()
            .AddKeptMetrics()
            .AddDeliveries()
            .AddAgents()
            .AddRuns()
            .AddSessions()
            .AddTriggers()
            .AddDispatch()
            .AddApprovals()
            .AddHistory()
            .AddPlane()
            .AddBulk();
        ConsoleRoutes.Compose(services);
    }

    /// <summary>
    /// The listening server, or none, inside a wrapper that gives relayed requests the same application.
    /// </summary>
    private static void Listen(WebApplicationBuilder builder, string urls)
    {
        if (urls == ListenUrls.None)
        {
            builder.Services.AddSingleton<IServer>(s => new PipelineServer(
                null,
                s.GetRequiredService<RequestPipeline>()
            ));
            return;
        }
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Kestrel).UseUrls(ListenUrls.Split(urls));
        var listening = builder.Services.Last(s => s.ServiceType == typeof(IServer)).ImplementationType!;
        builder.Services.AddSingleton<IServer>(s => new PipelineServer(
            (IServer)ActivatorUtilities.CreateInstance(s, listening),
            s.GetRequiredService<RequestPipeline>()
        ));
    }

    private static void Kestrel(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        // What is kept of a connection that nobody reads now.
        kestrel.Limits.MaxRequestBufferSize = MaxUnreadBytes;
        // Each route limits its own body; this is the limit for all.
        kestrel.Limits.MaxRequestBodySize = 2 * 1024 * 1024;
        Framing.Configure(kestrel);
    }

    private static void Log(ILoggingBuilder logging, LogOptions options)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(Enum.Parse<LogLevel>(options.Level));
        logging.AddFilter("Microsoft", LogLevel.Warning);
        // Its lines about each request are not shown. While it may write any, the host makes a span for each request,
        // also when no collector listens.
        logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        if (options.Format == "json")
            logging.AddJsonConsole(json => json.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ");
        else
            logging.AddSimpleConsole(text => (text.SingleLine, text.TimestampFormat) = (true, "HH:mm:ss "));
        logging.Services.Configure<ConsoleFormatterOptions>(console => console.UseUtcTimestamp = true);
        logging.Services.Configure<ConsoleLoggerOptions>(console =>
            console.LogToStandardErrorThreshold = LogLevel.Trace
        );
    }

    private static void Stop(WebApplication app)
    {
        var streams = app.Services.GetRequiredService<StreamRegistry>();
        HostLog.Stopping(app.Logger, streams.Count);
        streams.EndAll();
    }
}
