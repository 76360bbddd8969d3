using System.Text.Json;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// However long a turn was, its end is a transaction of limited size, and its message is whole or says that it is not.
/// On both databases.
/// </summary>
public sealed class LongTurnTests
{
    private const string Out = "/realtime/v1/sessions/s/out";

    /// <summary>
    /// What one transaction may read and write: a request's body, beside the few records that it folds.
    /// </summary>
    private const int MostRows = 1200;
    private const int MostBytes = 3 * 1024 * 1024;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_turn_of_thirty_thousand_deltas_is_one_message(Backend backend)
    {
        await using var test = await BeginAsync(backend);
        for (var batch = 0; batch < 30; batch++)
            await test.SayAsync(Enumerable.Range(batch * 1000, 1000).Select(i => Delta($"{i} ")));
        await test.CompleteAsync();
        Assert.Equal([string.Concat(Enumerable.Range(0, 30_000).Select(i => $"{i} "))], await test.TextsAsync());
        await test.HeldNobodyUpAsync();
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_turn_that_is_over_its_bytes_is_cut_and_says_so(Backend backend)
    {
        await using var test = await BeginAsync(backend);
        var (part, said) = (string.Concat(Enumerable.Repeat("ü\"0123456\\", 40_000)), 0);
        for (; said < 24; said++)
            await test.SayAsync([Delta(part)]);
        await test.SayAsync([Delta("the end")]);
        await test.CompleteAsync();
        var texts = await test.TextsAsync();
        Assert.Equal(2, texts.Count);
        Assert.InRange(texts[0].Length, 8 * part.Length, (16 * 1024 * 1024) - 1);
        Assert.Equal(0, texts[0].Length % part.Length);
        Assert.StartsWith(part, texts[0], StringComparison.Ordinal);
        Assert.Equal("\n...(cut: a message is made of the first 16777216 bytes of a turn)...", texts[1]);
        await test.HeldNobodyUpAsync();

        // The cut part is still in the channel, and the next turn is normal.
        Assert.Contains(
            "the end",
            (await test.Server.GetAsync($"{Out}/records?afterEventId={said - 1}&limit=1")).Text,
            StringComparison.Ordinal
        );
        await test.SayAsync([Delta("short")]);
        await test.CompleteAsync();
        Assert.Equal(["short"], await test.TextsAsync());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_who_end_a_long_turn_at_once_one_makes_its_message(Backend backend)
    {
        await using var test = await BeginAsync(backend);
        for (var i = 0; i < 4; i++)
            await test.SayAsync(Enumerable.Range(0, 300).Select(n => Delta(new string((char)('a' + i), 1000))));
        var late = Enumerable.Range(0, 20).Select(i => test.SayAsync([Delta("z")])).ToList();
        var ends = Enumerable
            .Range(0, 8)
            .Select(_ => test.Server.PostAsync("/api/v1/sessions/s/close", new { }))
            .ToList();
        Assert.All(await Task.WhenAll(ends), answer => Assert.Equal(200, answer.Status));
        await Task.WhenAll(late.Select(async l => await l.ContinueWith(_ => 0, TaskScheduler.Default)));
        var text = string.Concat(await test.TextsAsync());
        Assert.StartsWith(string.Concat("abcd".Select(c => new string(c, 300_000))), text, StringComparison.Ordinal);
        // Everything that was accepted before the close is in the message.
        var taken = await test.Server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT out_next - 1 FROM session", r => r.GetInt64(0))
        );
        Assert.Equal(1_200_000 + taken - 1200, text.Length);
        Assert.Equal(1, await test.CountAsync("SELECT COUNT(*) FROM message"));
        await test.HeldNobodyUpAsync();
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_batch_that_ends_its_turn_needs_nobody(Backend backend)
    {
        await using var test = await BeginAsync(backend);
        var first = Enumerable.Repeat(Delta(new string('x', 1000)), 899);
        await test.SayAsync([.. first, Complete, Delta("second"), Complete]);
        Assert.Equal(2, await test.CountAsync("SELECT COUNT(*) FROM message"));
        Assert.Equal(["second"], await test.TextsAsync());
        await test.HeldNobodyUpAsync();
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_turn_that_cannot_be_folded_ends_with_an_error_and_keeps_no_other_waiting(Backend backend)
    {
        await using var test = await BeginAsync(backend);
        var server = test.Server;
        foreach (var name in (string[])["broken", "sound"])
        {
            await server.StartSessionAsync(name, agent: "p");
            await server.PostAsync($"/realtime/v1/sessions/{name}/in/append", Chat.Message(name, "hello"));
        }
        var claimed = 0;
        await WaitFor.TrueAsync(async () =>
        {
            var offered = await server.PostAsync("/api/v1/agents/p/claim", new { max = 10, waitSeconds = 1 });
            return (claimed += offered.Json.GetProperty("data").GetArrayLength()) == 2;
        });
        foreach (var name in (string[])["broken", "sound"])
            await test.SayAsync([Delta("said")], name);
        var id = (await server.GetAsync("/api/v1/sessions/broken")).String("id");
        await server.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                "UPDATE record SET body = $1 WHERE session = $2 AND channel = 'out'",
                "{\"data\":"u8.ToArray(),
                id
            )
        );

        server.Clock.Advance(TimeSpan.FromMinutes(20));
        foreach (var (name, texts) in ((string, string[])[])[("sound", ["said"]), ("broken", [])])
        {
            await WaitFor.TrueAsync(
                async () => (await test.BlocksAsync(name)).Exists(b => b.GetProperty("type").GetString() == "error"),
                TimeSpan.FromSeconds(20)
            );
            Assert.Equal(texts, await test.TextsAsync(name));
        }
        Assert.Contains(
            "could not be put together",
            (await test.BlocksAsync("broken"))[0].GetProperty("text").GetString(),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_a_crash_leaves_of_a_long_message_is_swept_away(Backend backend)
    {
        await using var test = await BeginAsync(backend);
        await test.SayAsync(Enumerable.Range(0, 900).Select(_ => Delta(new string('x', 1000))));
        await test.CompleteAsync();
        var pieces = await test.CountAsync("SELECT COUNT(*) FROM message_piece");
        Assert.InRange(pieces, 1, 4);
        await test.Server.Database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync(
                "INSERT INTO message_draft (project, session, message, at) VALUES ('p', 's', 'old', $1)",
                tx.Now - 3_700_000_000
            );
            await tx.ExecuteAsync(
                "INSERT INTO message_draft (project, session, message, at) VALUES ('p', 's', 'new', $1)",
                tx.Now
            );
            foreach (var message in (string[])["old", "new"])
                await tx.ExecuteAsync(
                    "INSERT INTO message_piece (project, session, message, piece, body) VALUES ('p', 's', $1, 0, $2)",
                    message,
                    "x"u8.ToArray()
                );
            return 0;
        });
        test.Server.Clock.Advance(TimeSpan.FromMinutes(2));
        await test.Folds.SweepAsync();
        Assert.Equal(1, await test.CountAsync("SELECT COUNT(*) FROM message_draft"));
        Assert.Equal(pieces + 1, await test.CountAsync("SELECT COUNT(*) FROM message_piece"));
        Assert.Equal([new string('x', 900_000)], await test.TextsAsync());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_page_costs_what_it_holds(Backend backend)
    {
        await using var test = await BeginAsync(backend);
        for (var i = 0; i < 12; i++)
            await test.SayAsync([Delta(new string('x', 900_000))]);
        test.Database.Done.Clear();
        for (long after = -1; after < 11; after++)
        {
            var page = (await test.Server.GetAsync($"{Out}/records?afterEventId={after}")).Json.GetProperty("records");
            Assert.Equal((1, after + 1), (page.GetArrayLength(), page[0].GetProperty("seqNum").GetInt64()));
        }
        // PostgreSQL sends no row that the page does not hold; SQLite makes one.
        var most = backend == Backend.Postgres ? 1 : 2;
        Assert.All(test.Database.Done.Where(w => !w.Writes), work => Assert.InRange(work.Rows, 0, most));
    }

    private static string Delta(string text) =>
        JsonSerializer.Serialize(
            new
            {
                data = new
                {
                    type = "text-delta",
                    id = "0",
                    delta = text,
                },
            }
        );

    private const string Complete = """{"headers":{"trigger-control":"turn-complete"}}""";

    private static async Task<LongTurn> BeginAsync(Backend backend)
    {
        MeasuringDatabase? measuring = null;
        var server = await TestServer.StartAsync(backend, wrap: d => measuring = new MeasuringDatabase(d));
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        await server.StartSessionAsync("s", agent: "p");
        return new LongTurn(server, measuring!);
    }

    private sealed record LongTurn(TestServer Server, MeasuringDatabase Database) : IAsyncDisposable
    {
        public Postern.Sessions.TurnAssemblers Folds =>
            (Postern.Sessions.TurnAssemblers)Server.App.Services.GetService(typeof(Postern.Sessions.TurnAssemblers))!;

        public async Task SayAsync(IEnumerable<string> records, string session = "s")
        {
            var answer = await Server.PostAsync(
                $"/realtime/v1/sessions/{session}/out/records",
                $"{{\"records\":[{string.Join(',', records)}]}}"
            );
            Assert.True(answer.Status == 200, answer.ToString());
        }

        public Task CompleteAsync() => SayAsync([Complete]);

        public async Task<List<JsonElement>> BlocksAsync(string session = "s")
        {
            var page = await Server.GetAsync($"/sessions/{session}/history?full=1&limit=1");
            var messages = page.Json.GetProperty("messages");
            return messages.GetArrayLength() == 0 || messages[0].GetProperty("role").GetString() != "assistant"
                ? []
                : [.. messages[0].GetProperty("content").EnumerateArray()];
        }

        public async Task<List<string>> TextsAsync(string session = "s") =>
            [
                .. (await BlocksAsync(session))
                    .Where(b => b.GetProperty("type").GetString() == "text")
                    .Select(b => b.GetProperty("text").GetString()!),
            ];

        public ValueTask<long> CountAsync(string sql) =>
            Server.Database.ReadAsync(tx => tx.FirstAsync(sql, r => r.GetInt64(0)));

        /// <summary>No transaction exceeded its limit, and nothing is left over from folding.</summary>
        public async Task HeldNobodyUpAsync()
        {
            Assert.All(
                Database.Done.Where(w => w.Writes),
                work => Assert.True(work is { Rows: <= MostRows, Bytes: <= MostBytes }, work.ToString())
            );
            TestContext.Current.SendDiagnosticMessage(
                $"The longest command: {Database.Done.Where(w => w.Writes).MaxBy(w => w.Took)}"
            );
            await WaitFor.TrueAsync(() => Task.FromResult(Folds.Count == 0));
            Assert.Equal(0, await CountAsync("SELECT COUNT(*) FROM message_draft"));
            Assert.Equal(
                await CountAsync("SELECT COALESCE(SUM(pieces), 0) FROM message"),
                await CountAsync("SELECT COUNT(*) FROM message_piece")
            );
        }

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }
}
