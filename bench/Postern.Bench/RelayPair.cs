using System.Net;
using System.Text.Json;

namespace Postern.Bench;

/// <summary>A relay and a server that has joined it: two processes of the program as people run it.</summary>
internal sealed class RelayPair : IAsyncDisposable
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "postern.dll");

    private readonly string _folder;
    private readonly Dictionary<string, string> _environment;
    private readonly string _database;

    private RelayPair(string folder, Child relay, Dictionary<string, string> environment, string database)
    {
        (_folder, Relay, _environment, _database) = (folder, relay, environment, database);
        ToRelay = Measurements.Client(relay, relay.RootKey);
    }

    public Child Relay { get; }

    public Child Plane { get; private set; } = null!;

    /// <summary>A client with the relay's root key.</summary>
    public HttpClient ToRelay { get; }

    /// <summary>A client of somebody who sends: without a key.</summary>
    public HttpClient Sender { get; } = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 });

    /// <summary>A client with the plane's root key, straight to it.</summary>
    public HttpClient ToPlane { get; private set; } = null!;

    /// <summary>Where the plane's doors are at the relay.</summary>
    public string Doors { get; private set; } = "";

    /// <param name="databases">Of the relay and of the plane; null: a file each.</param>
    public static async Task<RelayPair> StartAsync(string folder, (string Relay, string Plane)? databases = null)
    {
        var environment = new Dictionary<string, string>(Measurements.NoLimits)
        {
            ["POSTERN_RelayServer__PlanePerSecond"] = "0",
            ["POSTERN_RelayServer__UnknownPerSecond"] = "0",
            ["POSTERN_RelayServer__Envelopes"] = "100000",
            ["POSTERN_Relay__DangerousPlainHttp"] = "true",
        };
        var relay = await Child.StartAsync(
            $"relay serve --data {folder}/relay --urls http://127.0.0.1:0 {Named(databases?.Relay)}",
            environment,
            Program
        );
        var pair = new RelayPair(folder, relay, environment, Named(databases?.Plane));
        await pair.StartPlaneAsync(await pair.CodeAsync("office"));
        return pair;
    }

    /// <summary>A code that lets one plane join.</summary>
    public async Task<string> CodeAsync(string name)
    {
        using var made = await ToRelay.PostAsJsonAsync("/relay/v1/codes", new { name });
        made.EnsureSuccessStatusCode();
        return (await made.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("code").GetString()!;
    }

    public async Task StopPlaneAsync()
    {
        await Plane.StopAsync();
        ToPlane.Dispose();
    }

    /// <param name="code">The first time: it joins.</param>
    public async Task StartPlaneAsync(string? code = null)
    {
        var join = code is null ? "" : $"--relay \"{code}\"";
        var rootKey = Plane?.RootKey;
        Plane = await Child.StartAsync(
            $"serve --data {_folder}/plane --urls http://127.0.0.1:0 {_database} {join}",
            _environment,
            Program
        );
        if (rootKey is null)
            RootKey = Plane.RootKey;
        ToPlane = Measurements.Client(Plane, RootKey);
        if (code is not null)
            Doors = (await RelayAsync()).GetProperty("url").GetString()!;
    }

    public string RootKey { get; private set; } = "";

    /// <summary>
    /// Waits until a route of the plane is open at the relay: then it refuses another method with 405, not 404.
    /// </summary>
    public async Task OpenAsync(string path)
    {
        while ((await Sender.GetAsync(Doors + path)).StatusCode != HttpStatusCode.MethodNotAllowed)
            await Task.Delay(20);
    }

    /// <summary>How many envelopes wait at the relay.</summary>
    public async Task<long> WaitingAsync()
    {
        var plane = Doors[(Doors.LastIndexOf('/') + 1)..];
        var view = await ToRelay.GetFromJsonAsync<JsonElement>("/relay/v1/planes/" + plane);
        return view.GetProperty("backlog").GetProperty("envelopes").GetInt64();
    }

    public async ValueTask DisposeAsync()
    {
        ToPlane.Dispose();
        Sender.Dispose();
        ToRelay.Dispose();
        await Plane.DisposeAsync();
        await Relay.DisposeAsync();
    }

    private async Task<JsonElement> RelayAsync() =>
        (await ToPlane.GetFromJsonAsync<JsonElement>("/api/v1/relay")).GetProperty("data")[0];

    private static string Named(string? database) => database is null ? "" : $"--database \"{database}\"";
}
