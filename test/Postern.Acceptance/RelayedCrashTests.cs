using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// A relay and a server behind it, both real processes, killed in turn while webhooks come: every acknowledged one has
/// one effect.
/// </summary>
public sealed class RelayedCrashTests
{
    private static readonly int Kills = CrashRounds.Of(4);
    private const int Senders = 4;
    private const int OfRound = 15;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_the_relay_acknowledged_has_one_effect_whoever_dies(Backend backend)
    {
        var (outside, inside) = (Temporary(), Temporary());
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
            ["POSTERN_RelayServer__UnknownPerSecond"] = "0",
            ["POSTERN_RateLimits__CallbackBurst"] = "0",
            ["POSTERN_Relay__Transport"] = "websocket",
        };
        var url = $"http://127.0.0.1:{PostgresServer.FreePort()}";
        var ofRelay = $"--data {outside} --urls {url}{Database()}";
        var relay = await ServerProcess.StartAsync(ofRelay, environment, command: "relay serve");
        var (code, text, error) = await PosternCommand.RunAsync($"relay enrol office {ofRelay}", environment);
        Assert.True(code == 0, error);
        var ofPlane = $"--data {inside} --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev{Database()}";
        var plane = await ServerProcess.StartAsync($"{ofPlane} --relay {text.Trim()}", environment);
        var rootKey = plane.RootKey;
        using var http = plane.Client(rootKey);
        var trigger = new
        {
            agent = "echo",
            promptTemplate = "{{body}}",
            maxInFlight = 1000,
        };
        (await http.PostAsJsonAsync("/api/triggers/user/u/open", trigger)).EnsureSuccessStatusCode();
        var (_, planes, _) = await PosternCommand.RunAsync($"relay planes {ofRelay}", environment);
        var target = $"{url}/p/{planes.Split(' ')[0]}/inbound/user/u/open";
        using var sender = new HttpClient { Timeout = TimeSpan.FromSeconds(20) };
        await WaitFor.TrueAsync(async () =>
            (await sender.GetAsync(target)).StatusCode == HttpStatusCode.MethodNotAllowed
        );

        using var stop = new CancellationTokenSource();
        var receipts = new ConcurrentBag<string>();
        var (acknowledged, unsure) = (0, 0);
        var senders = Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => SendAsync()).ToList());
        for (var kill = 0; kill < Kills; kill++)
        {
            var until = Volatile.Read(ref acknowledged) + OfRound;
            await WaitFor.TrueAsync(
                () => Task.FromResult(Volatile.Read(ref acknowledged) >= until),
                TimeSpan.FromSeconds(90)
            );
            if (kill % 2 == 0)
            {
                await relay.DisposeAsync();
                relay = await ServerProcess.StartAsync(ofRelay, environment, command: "relay serve");
            }
            else
            {
                await plane.DisposeAsync();
                plane = await ServerProcess.StartAsync(ofPlane, environment);
            }
        }
        await stop.CancelAsync();
        await senders;
        foreach (var receipt in receipts)
            await WaitFor.TrueAsync(
                async () =>
                    JsonSerializer
                        .Deserialize<JsonElement>(await sender.GetStringAsync(receipt + "?wait=10"))
                        .GetProperty("status")
                        .GetString() == "answered",
                TimeSpan.FromSeconds(90)
            );
        using var inner = plane.Client(rootKey);
        var effects = (await inner.GetFromJsonAsync<JsonElement>("/api/triggers/user/u/open"))
            .GetProperty("data")
            .GetProperty("requestCount")
            .GetInt32();
        // A request that was sent and not acknowledged may have been stored before the relay died.
        Assert.InRange(effects, acknowledged, acknowledged + unsure);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{Kills} kills, {acknowledged} acknowledged, {unsure} unsure, {effects} effects"
        );
        await plane.DisposeAsync();
        await relay.DisposeAsync();
        Directory.Delete(outside, recursive: true);
        Directory.Delete(inside, recursive: true);

        async Task SendAsync()
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    using var body = JsonContent.Create(new { n = 1 });
                    using var answer = await sender.PostAsync(target, body, CancellationToken.None);
                    if (answer.StatusCode == HttpStatusCode.Accepted)
                        receipts.Add(answer.Headers.Location!.ToString());
                    if (answer.IsSuccessStatusCode)
                        Interlocked.Increment(ref acknowledged);
                    await Task.Delay(100, CancellationToken.None);
                }
                catch (Exception fault) when (Unanswered.Is(fault) || fault is OperationCanceledException)
                {
                    Interlocked.Increment(ref unsure);
                    await Task.Delay(50, CancellationToken.None);
                }
            }
        }

        string Database() => backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
    }

    private static string Temporary() => Directory.CreateTempSubdirectory("postern-relayed-").FullName;
}
