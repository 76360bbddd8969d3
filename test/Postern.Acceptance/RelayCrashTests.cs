using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real relay, killed while it is used: every acknowledged request reaches its plane, and its sender gets the
/// answer.
/// </summary>
public sealed class RelayCrashTests
{
    private static readonly int Kills = CrashRounds.Of(5);
    private const int Senders = 8;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_was_acknowledged_survives_kill_9(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-relay-").FullName;
        var url = $"http://127.0.0.1:{FreePort()}";
        var store = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var arguments = $"--data {folder} --urls {url}{store}";
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_MASTER_KEY"] = "a master key for the tests, long enough",
            ["POSTERN_RelayServer__UnknownPerSecond"] = "0",
        };
        var relay = await StartAsync(arguments, environment);
        try
        {
            var (code, text, error) = await PosternCommand.RunAsync($"relay enrol office {arguments}", environment);
            Assert.True(code == 0, error);
            using var plane = await TestPlane.JoinAsync(url, EnrolmentCode.TryParse(text)!);
            using var stop = new CancellationTokenSource();
            var judged = new ConcurrentDictionary<string, int>();
            var answering = AnswerAsync(plane, judged, stop.Token);
            var acknowledged = new ConcurrentDictionary<int, string>();
            var sending = Enumerable.Range(0, Senders).Select(i => SendAsync(url, plane, i, acknowledged, stop.Token));
            var senders = Task.WhenAll(sending.ToList());

            var random = new Random(7);
            for (var kill = 0; kill < Kills; kill++)
            {
                var before = acknowledged.Count;
                await WaitFor.TrueAsync(
                    () => Task.FromResult(acknowledged.Count > before + 10 + random.Next(20)),
                    TimeSpan.FromSeconds(60)
                );
                await relay.KillAsync();
                await relay.DisposeAsync();
                relay = await StartAsync(arguments, environment);
            }
            await stop.CancelAsync();
            await senders;
            await answering;
            Assert.True(acknowledged.Count > Kills * 10);

            using var last = new CancellationTokenSource();
            var draining = AnswerAsync(plane, judged, last.Token);
            using var http = new HttpClient();
            foreach (var (_, receipt) in acknowledged.Where(a => a.Value.StartsWith("http", StringComparison.Ordinal)))
                await WaitFor.TrueAsync(
                    async () =>
                    {
                        var told = JsonSerializer.Deserialize<JsonElement>(await http.GetStringAsync(receipt));
                        return told.GetProperty("status").GetString() == "answered";
                    },
                    TimeSpan.FromSeconds(60)
                );
            await last.CancelAsync();
            await draining;
            // Each acknowledged request was handled under one id.
            var numbers = judged.Keys.Select(k => int.Parse(k.Split(' ')[1])).ToList();
            Assert.Empty(acknowledged.Keys.Except(numbers));
            Assert.Equal(numbers.Count, numbers.Distinct().Count());
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{Kills} kills, {acknowledged.Count} acknowledged, {numbers.Count} judged, none twice"
            );
        }
        finally
        {
            await relay.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<ServerProcess> StartAsync(string arguments, Dictionary<string, string> environment) =>
        await ServerProcess.StartAsync(arguments, environment, command: "relay serve");

    /// <summary>The plane, which reconnects for ever and answers with the received body.</summary>
    private static async Task AnswerAsync(
        TestPlane plane,
        ConcurrentDictionary<string, int> judged,
        CancellationToken stop
    )
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var session = await plane.ConnectAsync("node-1");
                if (session.Ready.Doors == 0)
                    await session.ListAsync(1, TestPlane.Door("/inbound/a", waitMs: 500));
                using var ending = stop.Register(() => _ = session.CutAsync());
                await session.AnswerAllAsync(
                    (head, request) =>
                    {
                        var number = JsonDocument.Parse(request.Body).RootElement.GetProperty("n").GetInt32();
                        judged.AddOrUpdate($"{head.Id} {number}", 1, (_, times) => times + 1);
                        return (200, "{}");
                    }
                );
            }
            catch (Exception fault)
                when (fault
                        is WebSocketException
                            or OperationCanceledException
                            or HttpRequestException
                            or IOException
                            or System.Threading.Channels.ChannelClosedException
                )
            {
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    private static async Task SendAsync(
        string url,
        TestPlane plane,
        int sender,
        ConcurrentDictionary<int, string> acknowledged,
        CancellationToken stop
    )
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(20) };
        for (var n = sender; !stop.IsCancellationRequested; n += Senders)
        {
            try
            {
                using var answer = await http.PostAsync(
                    url + plane.At("/inbound/a"),
                    new StringContent($"{{\"n\":{n}}}"),
                    CancellationToken.None
                );
                if (answer.StatusCode == HttpStatusCode.OK)
                    acknowledged[n] = "answered";
                else if (answer.StatusCode == HttpStatusCode.Accepted)
                    acknowledged[n] = answer.Headers.Location!.ToString();
            }
            catch (Exception fault) when (Unanswered.Is(fault) || fault is OperationCanceledException)
            {
                // It was killed before an answer, so nothing was promised.
                await Task.Delay(20, CancellationToken.None);
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
