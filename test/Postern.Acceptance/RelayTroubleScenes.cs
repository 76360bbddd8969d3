using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Networks and processes that fail while nobody says so. Each takes as long as it takes to be noticed, so all of them
/// run beside one another, and each test waits for its own.
/// </summary>
public sealed class RelayTroubleScenes : IDisposable
{
    private readonly CancellationTokenSource _end = new();

    public RelayTroubleScenes()
    {
        ThinLine = Task.Run(ThinLineAsync);
        HalfOpen = Task.Run(HalfOpenAsync);
        Idle = Task.WhenAll(Task.Run(() => IdleAsync("websocket")), Task.Run(() => IdleAsync("poll")));
        Nodes = Task.Run(NodesAsync);
    }

    public Task ThinLine { get; }

    public Task HalfOpen { get; }

    public Task Idle { get; }

    public Task Nodes { get; }

    public void Dispose() => _end.Dispose();

    /// <summary>
    /// 64 kbit/s, and a body that takes longer than either side stays without hearing anything: no part of it is lost,
    /// and nobody takes the other for dead. <c>BODY</c> is its size in KiB.
    /// </summary>
    private static async Task ThinLineAsync()
    {
        const int bytesPerSecond = 64_000 / 8;
        var size = int.Parse(Environment.GetEnvironmentVariable("BODY") ?? "272", CultureInfo.InvariantCulture) * 1024;
        SlowProxy line = null!;
        await using var scene = await RelayedScene.StartAsync(
            (_, relay) =>
            {
                line = new SlowProxy(relay, bytesPerSecond);
                return Task.FromResult(((IAsyncDisposable)line, line.Port));
            },
            o => o.Relay.Transport = "websocket"
        );
        var before = line.Passed;
        // A door that takes so much. It is not signed, as the server says once it has all.
        var stored = await scene.Relay.PostAsync(
            scene.At("/api/v1/runs/run_none/status"),
            $"{{\"text\":\"{new string('x', size - 11)}\"}}",
            ("Prefer", "respond-async")
        );
        var took = TimeSpan.FromSeconds((double)size / bytesPerSecond);
        Assert.Equal(401, await scene.EndAsync(stored, took + TimeSpan.FromSeconds(60)));
        Assert.True(line.Passed - before > size);
        Assert.Equal(1, (await scene.ConnectionAsync()).GetProperty("connects").GetInt64());
    }

    /// <summary>Nothing gets through and nobody is told: both sides notice; the next connection has it all.</summary>
    private static async Task HalfOpenAsync()
    {
        CuttingProxy line = null!;
        await using var scene = await RelayedScene.StartAsync(
            async (_, relay) => (line = await CuttingProxy.StartAsync(relay), line.Port)
        );
        line.BlackHole();
        var stored = await scene.HookAsync("{\"half\":\"open\"}", ("Prefer", "respond-async"));
        string? why = null;
        await WaitFor.TrueAsync(
            async () =>
            {
                var connection = await scene.ConnectionAsync();
                why = connection.TryGetProperty("reason", out var said) ? said.GetString() : null;
                return connection.TryGetProperty("transport", out var by) && by.ValueKind != JsonValueKind.String;
            },
            TimeSpan.FromSeconds(60),
            "the plane has noticed"
        );
        Assert.Equal("the relay was silent for 30 seconds", why);
        await WaitFor.TrueAsync(
            async () => await scene.Relay.CountAsync("relay_connection") == 0,
            TimeSpan.FromSeconds(60),
            "the relay has noticed"
        );
        line.Heal();
        Assert.Equal(200, await scene.EndAsync(stored, TimeSpan.FromSeconds(60)));
    }

    /// <summary>What stands in between ends what says nothing for 20 s: nothing is silent for so long.</summary>
    private static async Task IdleAsync(string transport)
    {
        const string limits = "  timeout client 20s\n  timeout server 20s\n  timeout tunnel 20s";
        await using var scene = await RelayedScene.StartAsync(
            async (port, relay) => (await FrontServer.HaproxyAsync(port, [relay], more: limits), port),
            o => o.Relay.Transport = transport
        );
        var began = System.Diagnostics.Stopwatch.StartNew();
        await WaitFor.TrueAsync(() => Task.FromResult(began.Elapsed.TotalSeconds > 25), TimeSpan.FromSeconds(60));
        Assert.Equal(200, (await scene.HookAsync("{\"after\":\"a while\"}", ("Prefer", "wait=20"))).Status);
        Assert.Equal(1, (await scene.ConnectionAsync()).GetProperty("connects").GetInt64());
    }

    /// <summary>
    /// Two nodes of the relay behind haproxy and two of the server, all real processes: the node that answers is
    /// stopped (SIGSTOP), then the relay's node that hands over; then a node is drained under load.
    /// </summary>
    private static async Task NodesAsync()
    {
        await using var nodes = await RelayNodes.StartAsync();
        await nodes.HookAsync("before", TimeSpan.FromSeconds(20));

        await nodes.SignalAsync("STOP", await nodes.HolderAsync());
        await nodes.HookAsync("its node stands still", TimeSpan.FromSeconds(60));
        await nodes.ContinueAsync();

        await nodes.SignalAsync("STOP", nodes.Relays[0]);
        await nodes.HookAsync("a node of the relay stands still", TimeSpan.FromSeconds(60));
        await nodes.ContinueAsync();

        // Drained: nobody who calls meanwhile hears of it.
        using var over = new CancellationTokenSource();
        var calling = CallAsync();
        Assert.Equal(0, await nodes.Relays[1].TerminateAsync());
        await nodes.HookAsync("a node of the relay has gone", TimeSpan.FromSeconds(30));
        await over.CancelAsync();
        await calling;

        async Task CallAsync()
        {
            for (var n = 0; !over.IsCancellationRequested; n++)
                await nodes.HookAsync($"while it goes {n}", TimeSpan.FromSeconds(30));
        }
    }
}
