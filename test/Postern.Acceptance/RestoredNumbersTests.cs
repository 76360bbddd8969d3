using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Clients that followed a server whose database is restored from a backup: they resume with old numbers, and miss
/// nothing that is written afterwards, however much that is.
/// </summary>
public sealed class RestoredNumbersTests : IDisposable
{
    private const int Lost = 10;
    private const int New = 15;
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-restored-").FullName;
    private readonly Dictionary<string, string> _environment = new()
    {
        ["POSTERN_MASTER_KEY"] = "a master key of these tests, long enough",
    };

    private string Data => Path.Combine(_folder, "data");

    private string Backup => Path.Combine(_folder, "backup");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Nothing_new_is_missed_after_a_restore_of_the_embedded_database()
    {
        await MissesNothingAsync(
            "",
            async () => await RunAsync($"backup {Backup} --data {Data}"),
            async () =>
            {
                await RunAsync($"restore {Backup} --data {Data} --force");
                return "";
            }
        );
    }

    [Fact]
    public async Task Nothing_new_is_missed_in_a_database_that_was_made_from_a_dump()
    {
        var (old, made) = (PostgresServer.NewDatabase(), PostgresServer.NewDatabase());
        await MissesNothingAsync(
            $" --database \"{old}\"",
            () => Dump(old),
            () =>
            {
                PostgresServer.PutBack(Backup, made);
                return Task.FromResult($" --database \"{made}\"");
            }
        );
    }

    [Fact]
    public async Task Nothing_new_is_missed_in_a_database_that_was_put_back_in_its_place_and_told_so()
    {
        var database = PostgresServer.NewDatabase();
        var option = $" --database \"{database}\"";
        await MissesNothingAsync(
            option,
            () => Dump(database),
            async () =>
            {
                PostgresServer.PutBack(Backup, database);
                var said = await RunAsync($"restore{option} --data {Data}");
                Assert.Contains("go on with new numbers", said, StringComparison.Ordinal);
                Assert.Contains("postern keys rotate", said, StringComparison.Ordinal);
                var (code, _, error) = await PosternCommand.RunAsync(
                    $"restore {Backup}{option} --data {Data}",
                    _environment
                );
                Assert.Equal(2, code);
                Assert.Contains("its own tools", error, StringComparison.Ordinal);
                return option;
            }
        );
    }

    /// <summary>
    /// Writes, makes a backup, writes more while a client follows, restores the backup and writes more than was lost.
    /// </summary>
    private async Task MissesNothingAsync(string option, Func<Task> backUp, Func<Task<string>> restore)
    {
        string key,
            run,
            newestMessage,
            newestRecord,
            newestEvent;
        await using (var server = await ServeAsync(option))
        {
            key = server.RootKey;
            using var http = server.Client(key);
            run = await StartAsync(http);
            await WriteAsync(http, "kept", 5);
            await backUp();
            await WriteAsync(http, "lost", Lost);
            newestMessage = (await HistoryAsync(http))[^1].GetProperty("__openclaw").GetProperty("seq").GetRawText();
            newestRecord = (await RecordsAsync(http, "-1"))[^1].GetProperty("seqNum").GetRawText();
            (await http.PostAsync($"/api/v1/runs/{run}/start", null)).EnsureSuccessStatusCode();
            (await http.GetAsync($"/api/v1/runs/{run}?wait=20")).EnsureSuccessStatusCode();
            newestEvent = (await EventsAsync(http, run, "0"))[^1].GetProperty("seq").GetRawText();
        }
        var restored = await restore();
        await using (var server = await ServeAsync(restored))
        {
            using var http = server.Client(key);
            await WriteAsync(http, "new", New);
            (await http.PostAsync($"/api/v1/runs/{run}/cancel", null)).EnsureSuccessStatusCode();

            // The window again, because the follower's last message is gone; it contains all the new ones.
            await using (var history = await FollowAsync(http, "/sessions/kept/history?limit=1000", newestMessage))
            {
                var window = await history.NextAsync();
                Assert.Equal("history", window!.Name);
                Assert.Equal(
                    [.. Texts("kept", 5), .. Texts("new", New)],
                    window
                        .Json.GetProperty("messages")
                        .EnumerateArray()
                        .Select(m => m.GetProperty("content")[0].GetProperty("text").GetString()!)
                );
                // And on from there, as ever.
                await WriteAsync(http, "later", 1);
                var next = await history.NextAsync();
                Assert.Equal("message", next!.Name);
                Assert.Contains("later 0", next.Data, StringComparison.Ordinal);
            }
            await using (var channel = await FollowAsync(http, "/realtime/v1/sessions/kept/out", newestRecord))
            {
                var records = await channel.RecordsAsync(all => all.Count >= New + 1);
                Assert.Equal(
                    [.. Texts("new", New), "later 0"],
                    records.Select(r =>
                        JsonDocument
                            .Parse(r.GetProperty("body").GetString()!)
                            .RootElement.GetProperty("data")
                            .GetProperty("n")
                            .GetString()!
                    )
                );
            }
            Assert.Contains(
                await EventsAsync(http, run, newestEvent),
                e => e.GetProperty("to").GetString() == "cancelled"
            );
            await using var timeline = await FollowAsync(http, $"/api/v1/runs/{run}/events", newestEvent);
            Assert.Contains("cancelled", (await timeline.NextAsync())!.Data, StringComparison.Ordinal);
        }
        // A later start has nothing to correct: the numbers continue where they are.
        await using (var server = await ServeAsync(restored))
        {
            using var http = server.Client(key);
            var before = (await HistoryAsync(http))[^1].GetProperty("__openclaw").GetProperty("seq").GetInt64();
            await WriteAsync(http, "last", 1);
            Assert.Equal(
                before + 1,
                (await HistoryAsync(http))[^1].GetProperty("__openclaw").GetProperty("seq").GetInt64()
            );
        }
    }

    private static IEnumerable<string> Texts(string what, int count) =>
        Enumerable.Range(0, count).Select(i => $"{what} {i}");

    private static async Task<string> StartAsync(HttpClient http)
    {
        (
            await http.PostAsJsonAsync(
                "/api/v1/sessions",
                new
                {
                    type = "chat",
                    externalId = "kept",
                    taskIdentifier = "echo",
                    triggerConfig = new { basePayload = new { } },
                }
            )
        ).EnsureSuccessStatusCode();
        var made = await http.PostAsJsonAsync("/api/v1/runs", new { agent = "echo", start = false });
        return (await made.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString()!;
    }

    private static async Task WriteAsync(HttpClient http, string what, int count)
    {
        foreach (var text in Texts(what, count))
        {
            (
                await http.PostAsJsonAsync("/sessions/kept/messages", new { role = "user", content = text })
            ).EnsureSuccessStatusCode();
            (
                await http.PostAsJsonAsync(
                    "/realtime/v1/sessions/kept/out/records",
                    new { records = new[] { new { data = new { n = text } } } }
                )
            ).EnsureSuccessStatusCode();
        }
    }

    private static async Task<List<JsonElement>> HistoryAsync(HttpClient http) =>
        [
            .. (await http.GetFromJsonAsync<JsonElement>("/sessions/kept/history?limit=1000"))
                .GetProperty("messages")
                .EnumerateArray(),
        ];

    private static async Task<List<JsonElement>> RecordsAsync(HttpClient http, string after) =>
        [
            .. (
                await http.GetFromJsonAsync<JsonElement>(
                    "/realtime/v1/sessions/kept/out/records"
                        + $"?limit=1000{(after == "-1" ? "" : "&afterEventId=" + after)}"
                )
            )
                .GetProperty("records")
                .EnumerateArray(),
        ];

    private static async Task<List<JsonElement>> EventsAsync(HttpClient http, string run, string after) =>
        [
            .. (await http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}/events?after={after}"))
                .GetProperty("data")
                .EnumerateArray(),
        ];

    private static async Task<EventReader> FollowAsync(HttpClient http, string path, string after)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("text/event-stream");
        request.Headers.Add("Last-Event-ID", after);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new EventReader(response, await response.Content.ReadAsStreamAsync());
    }

    private Task Dump(string database)
    {
        PostgresServer.Dump(database, Backup);
        return Task.CompletedTask;
    }

    private Task<ServerProcess> ServeAsync(string option) =>
        ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0{option}", _environment);

    private async Task<string> RunAsync(string arguments)
    {
        var (code, output, error) = await PosternCommand.RunAsync(arguments, _environment);
        Assert.True(code == 0, error);
        return output;
    }
}
