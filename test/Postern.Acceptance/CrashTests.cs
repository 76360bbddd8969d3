using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real process under 32 writers, killed with kill -9 twenty times. The writers keep a ledger of what was
/// acknowledged; an auditor that knows nothing of the server compares it with what is there.
/// </summary>
public sealed class CrashTests
{
    private static readonly int Kills = CrashRounds.Of(8);
    private const int Writers = 32;
    private const int Sessions = 4;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Nothing_acknowledged_is_lost_and_nothing_is_there_twice(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-crash-").FullName;
        var database = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var port = PostgresServer.FreePort();
        var arguments = $"--data {folder} --urls http://127.0.0.1:{port}{database}";
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_RateLimits__TokenBurst"] = "0",
            ["POSTERN_RateLimits__CallbackBurst"] = "0",
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
        };
        var server = await ServerProcess.StartAsync(arguments, environment);
        var key = server.RootKey;
        using var http = server.Client(key);
        for (var i = 0; i < Sessions; i++)
            await StartAsync(http, "crash" + i);

        var ledger = new ConcurrentDictionary<string, (int Session, int Seq, string Body)>();
        using var stop = new CancellationTokenSource();
        var acknowledged = 0;
        var reached = new SemaphoreSlim(0);
        var writers = Enumerable.Range(0, Writers).Select(w => Task.Run(() => WriteAsync(w))).ToList();
        await using var follower = Follower.Start($"http://127.0.0.1:{port}", key, "crash0");
        for (var kill = 0; kill < Kills; kill++)
        {
            // A signal, not a sleep: after a number of further acknowledgements, at any moment. The same part is sent
            // until it is acknowledged, as a retrying client does.
            for (var i = 0; i < 40 + (kill * 7 % 60); i++)
                await reached.WaitAsync(TimeSpan.FromSeconds(30));
            await server.KillAsync();
            await server.DisposeAsync();
            server = await ServerProcess.StartAsync(arguments, environment);
        }
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        Assert.True(ledger.Count > Kills * 40, "the writers got through: " + ledger.Count);

        for (var s = 0; s < Sessions; s++)
        {
            var there = await ReadAllAsync(http, "crash" + s);
            Assert.Equal(Enumerable.Range(0, there.Count), there.Select(r => r.GetProperty("seqNum").GetInt32()));
            var byPart = there.GroupBy(r => r.GetProperty("id").GetString()!).ToDictionary(g => g.Key, g => g.ToList());
            Assert.All(byPart, p => Assert.Single(p.Value));
            foreach (var (part, (_, seq, body)) in ledger.Where(l => l.Value.Session == s))
            {
                Assert.True(byPart.TryGetValue(part, out var records), $"{part} was acknowledged and is lost");
                Assert.Equal(
                    (seq, body),
                    (records[0].GetProperty("seqNum").GetInt32(), records[0].GetProperty("data").GetString())
                );
            }
            if (s == 0)
                Assert.Equal(Enumerable.Range(0, there.Count), await follower.SeenAsync(there.Count));
        }
        if (backend == Backend.Sqlite)
            Assert.Equal(
                0,
                (
                    await PosternCommand.RunAsync($"doctor --data {folder} --urls http://127.0.0.1:{port}", environment)
                ).Code
            );
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);

        async Task WriteAsync(int writer)
        {
            for (var n = 0; !stop.IsCancellationRequested; n++)
            {
                var (part, body) = ($"{writer}-{n}", $"writer {writer} says {n}");
                // The same part again until it is acknowledged: what a client that retries does.
                while (!stop.IsCancellationRequested)
                {
                    try
                    {
                        using var request = new HttpRequestMessage(
                            HttpMethod.Post,
                            $"/realtime/v1/sessions/crash{writer % Sessions}/out/append"
                        )
                        {
                            Content = new StringContent(body),
                        };
                        request.Headers.Add("X-Part-Id", part);
                        using var answer = await http.SendAsync(request);
                        if ((int)answer.StatusCode != 200)
                            continue;
                        var seq = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("seq").GetInt32();
                        ledger[part] = (writer % Sessions, seq, body);
                        Interlocked.Increment(ref acknowledged);
                        reached.Release();
                        break;
                    }
                    catch (Exception fault) when (Unanswered.Is(fault))
                    {
                        await Task.Delay(20);
                    }
                }
            }
        }
    }

    private static async Task StartAsync(HttpClient http, string name)
    {
        using var answer = await http.PostAsJsonAsync(
            "/api/v1/sessions",
            new
            {
                type = "chat",
                externalId = name,
                taskIdentifier = "echo",
                triggerConfig = new { basePayload = new { } },
            }
        );
        answer.EnsureSuccessStatusCode();
    }

    private static async Task<List<JsonElement>> ReadAllAsync(HttpClient http, string name)
    {
        var all = new List<JsonElement>();
        while (true)
        {
            var page = (
                await http.GetFromJsonAsync<JsonElement>(
                    $"/realtime/v1/sessions/{name}/out/records?afterEventId={all.Count - 1}"
                )
            )
                .GetProperty("records")
                .EnumerateArray()
                .ToList();
            if (page.Count == 0)
                return all;
            all.AddRange(page);
        }
    }

    /// <summary>
    /// The SDK's own stream client, unmodified, follows through every crash and prints the number of each record.
    /// </summary>
    private sealed class Follower : IAsyncDisposable
    {
        private readonly List<int> _seen = [];
        private readonly System.Diagnostics.Process _client;

        private Follower(System.Diagnostics.Process client)
        {
            _client = client;
            client.OutputDataReceived += (_, line) =>
            {
                lock (_seen)
                    if (int.TryParse(line.Data, out var seq))
                        _seen.Add(seq);
            };
            client.ErrorDataReceived += (_, _) => { };
            client.BeginOutputReadLine();
            client.BeginErrorReadLine();
        }

        public static Follower Start(string url, string key, string session) =>
            new(Node.Start($"follow.mjs {url} {key} {session}", []));

        public async Task<List<int>> SeenAsync(int count)
        {
            await WaitFor.TrueAsync(
                () =>
                {
                    lock (_seen)
                        return Task.FromResult(_seen.Count >= count);
                },
                TimeSpan.FromSeconds(30)
            );
            lock (_seen)
                return [.. _seen];
        }

        public async ValueTask DisposeAsync()
        {
            _client.Kill();
            await _client.WaitForExitAsync();
            _client.Dispose();
        }
    }
}
