using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Postern.Access;
using Postern.Hosting;
using Postern.Relay.Protocol;
using Postern.Relay.Server;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Support;

/// <summary>A whole relay in this process, on a real database and a real port of loopback.</summary>
internal sealed class RelayNode : IAsyncDisposable
{
    /// <summary>What it logged; null when something between it and its database could make it fail.</summary>
    private LogSink? _log;
    private readonly string _folder;

    private RelayNode(string folder, Database database, WebApplication app, string rootKey, MovableClock clock)
    {
        (_folder, Database, App, RootKey, Clock) = (folder, database, app, rootKey, clock);
        Url = app.Urls.First();
        Http = new HttpClient(
            new SocketsHttpHandler
            {
                MaxConnectionsPerServer = 2000,
                AllowAutoRedirect = false,
                RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            }
        )
        {
            BaseAddress = new Uri(Url),
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    public WebApplication App { get; }

    public Database Database { get; }

    public string RootKey { get; }

    public MovableClock Clock { get; }

    public string Url { get; }

    public HttpClient Http { get; }

    public Doors Doors => Get<DoorTable>().Doors;

    public T Get<T>()
        where T : notnull => App.Services.GetRequiredService<T>();

    /// <param name="backend">What it keeps its data in.</param>
    /// <param name="set">Settings, after the tests' defaults: no limits by rate.</param>
    /// <param name="postgres">An existing database, for a second node.</param>
    /// <param name="wrap">What stands between the relay and the database.</param>
    public static async Task<RelayNode> StartAsync(
        Backend backend = Backend.Sqlite,
        Action<PosternOptions>? set = null,
        string? postgres = null,
        Func<Database, Database>? wrap = null
    )
    {
        var folder = Directory.CreateTempSubdirectory("postern-relay-").FullName;
        var clock = new MovableClock();
        var serve = new ServeOptions(
            folder,
            "http://127.0.0.1:0",
            backend == Backend.Postgres ? postgres ?? PostgresServer.NewDatabase() : null,
            Dev: true
        );
        var options = new PosternOptions();
        options.RateLimits.FailuresPerMinute = 0;
        options.RelayServer.UnknownPerSecond = options.RelayServer.PlanePerSecond = 0;
        options.Log.Level = "Error";
        set?.Invoke(options);
        var database = await serve.OpenDatabaseAsync(clock.OfDatabase, default);
        if (wrap is not null)
            database = wrap(database);
        var master = MasterKey.FromText("a master key for the tests, long enough");
        var app = RelayServer.Build(database, master, options, serve.Urls, clock);
        var log = new LogSink();
        app.Services.GetRequiredService<ILoggerFactory>().AddProvider(log);
        var rootKey = await app.Services.GetRequiredService<FirstStart>().RunAsync(null);
        await app.StartAsync();
        app.Services.GetRequiredService<ServerAddress>().ListensOn(app.Urls.First());
        return new RelayNode(folder, database, app, rootKey.Text ?? "", clock) { _log = wrap is null ? log : null };
    }

    public async Task<Answer> SendAsync(
        HttpMethod method,
        string path,
        object? body = null,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body switch
        {
            null => method == HttpMethod.Get ? null : new ByteArrayContent([]),
            byte[] bytes => new ByteArrayContent(bytes),
            string text => new StringContent(text, Encoding.UTF8, "application/json"),
            _ => new StringContent(System.Text.Json.JsonSerializer.Serialize(body), Encoding.UTF8, "application/json"),
        };
        foreach (var (name, value) in headers)
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content?.Headers.TryAddWithoutValidation(name, value);
        using var response = await Http.SendAsync(request);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    public Task<Answer> PostAsync(string path, object? body = null, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, path, body, headers);

    public Task<Answer> AdminAsync(HttpMethod method, string path, object? body = null) =>
        SendAsync(method, path, body, ("Authorization", "Bearer " + RootKey));

    public async Task<EnrolmentCode> CodeAsync(object? asked = null)
    {
        var made = await AdminAsync(HttpMethod.Post, "/relay/v1/codes", asked ?? new { name = "office" });
        Assert.True(made.Status == 201, made.ToString());
        return EnrolmentCode.TryParse(made.String("code"))!;
    }

    /// <summary>A plane that has joined and is not connected.</summary>
    public async Task<TestPlane> JoinAsync(object? asked = null) =>
        await TestPlane.JoinAsync(this, await CodeAsync(asked));

    public ValueTask<long> CountAsync(string table) =>
        Database.ReadAsync(tx => tx.FirstAsync($"SELECT COUNT(*) FROM {table}", r => r.GetInt64(0)));

    public async Task<List<string>> AuditAsync()
    {
        var read = await AdminAsync(HttpMethod.Get, "/api/v1/audit?limit=200");
        return [.. read.Json.GetProperty("data").EnumerateArray().Select(r => r.GetProperty("action").GetString()!)];
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
        if (_log is { } log)
            LoopFaults.None(log.Text);
    }
}
