using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Relay.Plane;
using Postern.Settings;

namespace Postern.Support;

/// <summary>
/// A relay, something in between, and a server that has joined through it. All are complete and in this process, except
/// what is in between. The server has a trigger that GitHub's secret opens.
/// </summary>
internal sealed class RelayedScene : IAsyncDisposable
{
    private const string Secret = "a secret of github, of 24 characters";
    private readonly List<IAsyncDisposable> _more = [];

    private RelayedScene(RelayNode relay) => Relay = relay;

    public RelayNode Relay { get; }

    public TestServer Server { get; private set; } = null!;

    public JoinedPlane Plane { get; private set; } = null!;

    /// <param name="between">
    /// Makes what stands in between: it is given its port, and the relay's. It returns its own port, which may be
    /// another one.</param>
    /// <param name="set">Settings of the server.</param>
    /// <param name="backend">Of both.</param>
    /// <param name="clockOff">How wrong the server's clock is.</param>
    public static async Task<RelayedScene> StartAsync(
        Func<int, int, Task<(IAsyncDisposable What, int Port)>> between,
        Action<PosternOptions>? set = null,
        Backend backend = Backend.Sqlite,
        TimeSpan clockOff = default
    )
    {
        var scene = new RelayedScene(await RelayNode.StartAsync(backend, o => o.RelayServer.Envelopes = 20_000));
        var (what, port) = await between(PostgresServer.FreePort(), new Uri(scene.Relay.Url).Port);
        scene._more.Add(what);
        scene.Server = await TestServer.StartAsync(
            backend,
            o =>
            {
                o.Relay.DangerousPlainHttp = true;
                set?.Invoke(o);
            },
            clockOff: clockOff
        );
        var code = await scene.Relay.CodeAsync();
        var through = code.ToString().Replace(scene.Relay.Url, $"http://127.0.0.1:{port}", StringComparison.Ordinal);
        scene.Plane = await scene
            .Server.App.Services.GetRequiredService<PlaneEnrolment>()
            .JoinAsync(through, "office", default);
        await scene.Server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/idle",
            scene.Server.RootKey,
            new { kind = "pull" }
        );
        await scene.TriggerAsync("hook");
        await scene.ConnectedAsync();
        await scene.OpenAsync("/inbound/user/u/hook");
        return scene;
    }

    public async Task TriggerAsync(string id, string scheme = "github", string secret = Secret)
    {
        var made = await Server.PostAsync(
            "/api/triggers/user/u/" + id,
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = 1000,
                webhookAuth = new { scheme, secret },
            }
        );
        Assert.True(made.Status is 200 or 201, made.ToString());
    }

    /// <summary>Returns the state of the connection, as the server reports it.</summary>
    public async Task<JsonElement> ConnectionAsync() =>
        (await Server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0].GetProperty("connection");

    public Task ConnectedAsync(TimeSpan? patience = null) =>
        WaitFor.TrueAsync(
            async () =>
                (await ConnectionAsync()).TryGetProperty("transport", out var by)
                && by.ValueKind == JsonValueKind.String,
            patience,
            "the relay is connected"
        );

    /// <summary>Until the relay knows the door: then a GET of it gets 405 and not 404.</summary>
    public Task OpenAsync(string path) =>
        WaitFor.TrueAsync(async () => (await Relay.SendAsync(HttpMethod.Get, At(path))).Status == 405);

    public string At(string path) => $"/p/{Plane.Plane}{path}";

    /// <summary>A webhook of GitHub, at the relay itself.</summary>
    public Task<Answer> HookAsync(string body, params (string, string)[] headers) =>
        Relay.PostAsync(At("/inbound/user/u/hook"), body, [Signed(body), .. headers]);

    public static (string, string) Signed(string body) =>
        (
            "X-Hub-Signature-256",
            "sha256="
                + Convert.ToHexStringLower(
                    HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(body))
                )
        );

    /// <summary>Waits for the end of a request that was answered 202, and returns the answer's status.</summary>
    public async Task<int> EndAsync(Answer stored, TimeSpan patience)
    {
        Assert.Equal(202, stored.Status);
        var status = 0;
        await WaitFor.TrueAsync(
            async () =>
            {
                var path = new Uri(stored.Header("Location")!).PathAndQuery + "?wait=5";
                var receipt = await Relay.SendAsync(HttpMethod.Get, path);
                if (receipt.String("status") != "answered")
                    return false;
                status = receipt.Json.GetProperty("answer").GetProperty("status").GetInt32();
                return true;
            },
            patience
        );
        return status;
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        foreach (var one in _more)
            await one.DisposeAsync();
        await Relay.DisposeAsync();
    }
}
