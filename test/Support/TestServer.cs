using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Postern.Access;
using Postern.Hosting;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Support;

/// <summary>The whole server in this process, on a real database and a real port of loopback.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    /// <summary>Nothing stands between it and its database that could make it fail.</summary>
    private bool _isWhole;
    private readonly string _folder;

    private TestServer(
        string folder,
        Database database,
        WebApplication app,
        string rootKey,
        MovableClock clock,
        LogSink log
    )
    {
        (_folder, Database, App, RootKey, Clock, Log) = (folder, database, app, rootKey, clock, log);
        Url = app.Urls.First();
        var sockets = new SocketsHttpHandler
        {
            MaxConnectionsPerServer = 2000,
            RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
        };
        Http = new HttpClient(new DocumentCheck(sockets))
        {
            BaseAddress = new Uri(Url),
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    public WebApplication App { get; }

    public Database Database { get; }

    public string RootKey { get; }

    public MovableClock Clock { get; }

    public LogSink Log { get; }

    public string Url { get; }

    /// <summary>The file of the embedded database.</summary>
    public string DatabaseFile => new DataFolder(_folder).Database;

    public HttpClient Http { get; }

    public Doors Doors => App.Services.GetRequiredService<DoorTable>().Doors;

    public async ValueTask<string> ProjectAsync() =>
        (await App.Services.GetRequiredService<Projects>().DefaultAsync())!;

    /// <param name="backend">What it keeps its data in.</param>
    /// <param name="set">Settings, after the tests' defaults: no limits, no waiting between words.</param>
    /// <param name="postgres">An existing database, for a second node.</param>
    /// <param name="clockOff">How wrong the clock of its machine is.</param>
    /// <param name="wrap">What stands between the server and the database.</param>
    public static async Task<TestServer> StartAsync(
        Backend backend = Backend.Sqlite,
        Action<PosternOptions>? set = null,
        string? postgres = null,
        Func<Database, Database>? wrap = null,
        TimeSpan clockOff = default
    )
    {
        var folder = Directory.CreateTempSubdirectory("postern-test-").FullName;
        var clock = new MovableClock();
        clock.SetWrong(clockOff);
        var log = new LogSink();
        var serve = new ServeOptions(
            folder,
            "http://127.0.0.1:0",
            backend == Backend.Postgres ? postgres ?? PostgresServer.NewDatabase() : null,
            Dev: true
        );
        var options = new PosternOptions();
        options.RateLimits.ProjectBurst =
            options.RateLimits.TokenBurst =
            options.RateLimits.CallbackBurst =
            options.RateLimits.FailuresPerMinute =
                0;
        options.Outbound.AllowedNetworks = ["127.0.0.0/8"];
        options.Runs.EchoDelayMilliseconds = 0;
        options.Log.Level = "Error";
        set?.Invoke(options);
        var database = await serve.OpenDatabaseAsync(clock.OfDatabase, default);
        if (wrap is not null)
            database = wrap(database);
        var master = MasterKey.FromText("a master key for the tests, long enough");
        var app = Server.Build(database, master, options, serve.Urls, clock);
        app.Services.GetRequiredService<ILoggerFactory>().AddProvider(log);
        var rootKey = await app.Services.GetRequiredService<FirstStart>().RunAsync(null);
        // A test holds a half-sent request for as long as it needs, on a machine that may be busy.
        app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits.MinRequestBodyDataRate = null;
        await app.StartAsync();
        app.Services.GetRequiredService<ServerAddress>().ListensOn(app.Urls.First());
        return new TestServer(folder, database, app, rootKey.Text ?? "", clock, log) { _isWhole = wrap is null };
    }

    public async Task<Answer> SendAsync(
        HttpMethod method,
        string path,
        string? credential = null,
        object? body = null,
        params (string Name, string Value)[] headers
    )
    {
        using var request = Request(method, path, credential, body, headers);
        using var response = await Http.SendAsync(request);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    public Task<Answer> GetAsync(
        string path,
        string? credential = null,
        params (string Name, string Value)[] headers
    ) => SendAsync(HttpMethod.Get, path, credential ?? RootKey, null, headers);

    public Task<Answer> PostAsync(
        string path,
        object? body,
        string? credential = null,
        params (string Name, string Value)[] headers
    ) => SendAsync(HttpMethod.Post, path, credential ?? RootKey, body, headers);

    /// <summary>The response with its headers, its body still flowing.</summary>
    public async Task<EventReader> StreamAsync(
        string path,
        string? credential = null,
        params (string Name, string Value)[] headers
    )
    {
        var request = Request(HttpMethod.Get, path, credential ?? RootKey, null, headers);
        request.Headers.Accept.ParseAdd("text/event-stream");
        var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new EventReader(response, await response.Content.ReadAsStreamAsync());
    }

    public async Task<string> TokenAsync(params string[] scopes) =>
        await App
            .Services.GetRequiredService<Tokens>()
            .MintAsync(await ProjectAsync(), scopes, Database.Now + 3_600_000_000);

    /// <summary>Makes a key as the command line does. Returns its id and its text.</summary>
    public Task<(string Id, string Key)> NamedKeyAsync(string name, params string[] scopes) =>
        NamedKeyOfKindAsync(name, "live", scopes);

    public async Task<(string Id, string Key)> NamedKeyOfKindAsync(string name, string kind, string[] scopes)
    {
        var (row, key) = await App
            .Services.GetRequiredService<KeyAdmin>()
            .CreateAsync(await ProjectAsync(), name, kind, scopes, null, "command line")
            .ValueAsync();
        return (row.Id, key.Text);
    }

    /// <summary>Mints a token with a key over HTTP, as a backend does.</summary>
    public async Task<string> TokenOfAsync(string key, params string[] scopes) =>
        (await PostAsync("/api/v1/auth/public-tokens", new { scopes, expirationTime = "1h" }, key)).String("token");

    public async Task<string> KeyAsync(params string[] scopes) =>
        (
            await App
                .Services.GetRequiredService<KeyAdmin>()
                .CreateAsync(await ProjectAsync(), "test", "live", scopes, null, "test")
                .ValueAsync()
        )
            .Key
            .Text;

    /// <summary>The number of open streams, and of requests that wait.</summary>
    public int HeldRequests => App.Services.GetRequiredService<Postern.Live.StreamRegistry>().Count;

    public Task<Answer> StartSessionAsync(
        string externalId,
        string? credential = null,
        string agent = "echo",
        object? more = null
    ) =>
        PostAsync(
            "/api/v1/sessions",
            more
                ?? new
                {
                    type = "chat",
                    externalId,
                    taskIdentifier = agent,
                    triggerConfig = new { basePayload = new { } },
                },
            credential
        );

    public Task<Answer> SayAsync(string session, string text, string? credential = null) =>
        PostAsync($"/realtime/v1/sessions/{session}/in/append", Chat.Message(session, text), credential);

    /// <summary>
    /// Counts the rows of all tables, which a refused request must not change. Tests count the audit rows of refusals
    /// separately.
    /// </summary>
    public ValueTask<long> CountRowsAsync() =>
        Database.ReadAsync(async tx =>
        {
            var rows = 0L;
            string[] tables =
            [
                "project",
                "api_key",
                "revocation",
                "used_token",
                "agent",
                "session",
                "record",
                "message",
                "message_piece",
                "message_draft",
                "participant",
                "run",
                "run_event",
                "run_data",
                "run_attempt",
                "run_request",
                "workflow",
                "callback_secret",
                "callback_token_secret",
                "event",
                "webhook_endpoint",
                "delivery",
                "delivery_attempt",
                "agent_trigger",
                "capture",
                "capture_key",
                "approval",
                "approval_service",
            ];
            foreach (var table in tables)
                rows += await tx.FirstAsync($"SELECT COUNT(*) FROM {table}", r => r.GetInt64(0));
            return rows;
        });

    /// <summary>Returns all rows of some tables as text, which a fault must not change.</summary>
    public async Task<string> DumpAsync(params string[] tables)
    {
        var lines = new List<string>();
        foreach (var table in tables)
        {
            lines.AddRange(
                await Database.ReadAsync(tx =>
                    tx.ListAsync(
                        $"SELECT * FROM {table} LIMIT 10000",
                        r =>
                            table
                            + " "
                            + string.Join(
                                '|',
                                Enumerable
                                    .Range(0, r.FieldCount)
                                    .Select(i =>
                                        r.IsDBNull(i) ? "-"
                                        : r.GetValue(i) is byte[] b ? Convert.ToHexString(b)
                                        : r.GetValue(i).ToString()
                                    )
                            )
                    )
                )
            );
        }
        return string.Join('\n', lines.Order(StringComparer.Ordinal));
    }

    /// <summary>Waits until nothing is due any more: no run, no delivery.</summary>
    public Task SettledAsync() =>
        WaitFor.TrueAsync(async () =>
            (await GetAsync("/api/v1/deliveries?status=pending")).Json.GetProperty("data").GetArrayLength() == 0
            && await Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT COUNT(*) FROM run WHERE due_at IS NOT NULL", r => r.GetInt64(0))
            ) == 0
        );

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
        if (_isWhole)
            LoopFaults.None(Log.Text);
    }

    private static HttpRequestMessage Request(
        HttpMethod method,
        string path,
        string? credential,
        object? body,
        (string Name, string Value)[] headers
    )
    {
        var request = new HttpRequestMessage(method, path);
        if (!string.IsNullOrEmpty(credential))
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + credential);
        request.Content = body switch
        {
            null => method == HttpMethod.Post || method == HttpMethod.Put || method == HttpMethod.Patch
                ? new ByteArrayContent([])
                : null,
            byte[] bytes => new ByteArrayContent(bytes),
            string text => new StringContent(text, Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
            _ => new StringContent(
                JsonSerializer.Serialize(body),
                Encoding.UTF8,
                new MediaTypeHeaderValue("application/json")
            ),
        };
        if (headers.Any(h => h.Name == "Content-Type"))
            request.Content?.Headers.Remove("Content-Type");
        foreach (var (name, value) in headers)
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content?.Headers.TryAddWithoutValidation(name, value);
        return request;
    }
}
