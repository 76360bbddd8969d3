using System.Collections.Concurrent;
using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// On PostgreSQL, plain appends that wait are sent to the database together, and each has its own outcome.
/// </summary>
public sealed class AppendsTogetherTests
{
    private const int Writers = 64;

    [Fact]
    public async Task Appends_to_many_sessions_share_statements_and_each_record_is_there_once_and_in_order()
    {
        RecordingDatabase? recording = null;
        await using var server = await TestServer.StartAsync(
            Backend.Postgres,
            wrap: d => recording = new RecordingDatabase(d)
        );
        for (var i = 0; i < Writers; i++)
            await server.StartSessionAsync("s" + i);
        var statements = new ConcurrentQueue<bool>();
        recording!.Seen = sql =>
        {
            if (sql.Contains("INSERT INTO record", StringComparison.Ordinal))
                statements.Enqueue(sql.Contains("SKIP LOCKED", StringComparison.Ordinal));
        };
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, Writers)
                .Select(async i =>
                {
                    var seqs = new List<long>();
                    for (var n = 0; n < 20; n++)
                        seqs.Add(Seq(await AppendAsync(server, "s" + i, $"word-{i}-{n}", "p" + n)));
                    return seqs;
                })
        );
        Assert.All(answers, a => Assert.Equal(Enumerable.Range((int)a[0], 20).Select(n => (long)n), a));
        Assert.Contains(true, statements);
        Assert.InRange(statements.Count, 1, Writers * 20 / 2);
        for (var i = 0; i < Writers; i += 9)
        {
            var page = await server.GetAsync($"/realtime/v1/sessions/s{i}/out/records");
            for (var n = 0; n < 20; n++)
                Assert.Equal(2, page.Text.Split($"\"word-{i}-{n}\"").Length);
        }
    }

    [Fact]
    public async Task Appends_to_one_session_have_dense_numbers_and_a_repeated_part_has_the_first_one()
    {
        await using var server = await TestServer.StartAsync(Backend.Postgres);
        await server.StartSessionAsync("one");
        var first = Seq(await AppendAsync(server, "one", "first", "first"));
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 4 * Writers).Select(i => AppendAsync(server, "one", "w" + i / 2, "p" + i / 2))
        );
        var seqs = answers.Select(Seq).ToList();
        for (var i = 0; i < seqs.Count; i += 2)
            Assert.Equal(seqs[i], seqs[i + 1]);
        Assert.Equal(Enumerable.Range(1, 2 * Writers).Select(n => first + n), seqs.Distinct().OrderBy(s => s));
    }

    [Fact]
    public async Task An_append_that_is_not_plain_has_its_own_outcome_among_many()
    {
        await using var server = await TestServer.StartAsync(Backend.Postgres);
        for (var i = 0; i < 8; i++)
            await server.StartSessionAsync("plain" + i);
        foreach (var name in (string[])["closed", "mismatch", "stopped"])
            await server.StartSessionAsync(name);
        Assert.Equal(200, (await AppendAsync(server, "mismatch", "as it was", "p")).Status);
        Assert.Equal(200, (await server.PostAsync("/api/v1/sessions/closed/close", new { })).Status);
        Assert.Equal(
            200,
            (await server.PostAsync("/realtime/v1/sessions/stopped/in/append", """{"kind":"stop"}""")).Status
        );

        var plain = Enumerable
            .Range(0, Writers)
            .Select(i => AppendAsync(server, "plain" + i % 8, "w", "p" + i))
            .ToList();
        var others = Enumerable
            .Range(0, Writers)
            .Select(i =>
                (i % 3) switch
                {
                    0 => AppendAsync(server, "closed", "w", "c" + i),
                    1 => AppendAsync(server, "mismatch", "otherwise " + i, "p"),
                    _ => AppendAsync(server, "stopped", "w", "s" + i),
                }
            )
            .ToList();
        Assert.All(await Task.WhenAll(plain), a => Assert.Equal(200, a.Status));
        var outcomes = (await Task.WhenAll(others)).Select((a, i) => (Kind: i % 3, a.Status)).Distinct().Order();
        Assert.Equal([(0, 409), (1, 409), (2, 200)], outcomes);
        Assert.Equal("as it was", Assert.Single(await TextsAsync(server, "mismatch")));
        Assert.Empty(await TextsAsync(server, "closed"));
    }

    [Fact]
    public async Task A_session_that_somebody_holds_keeps_no_other_append_waiting()
    {
        var connection = PostgresServer.NewDatabase();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        for (var i = 0; i < 8; i++)
            await server.StartSessionAsync("free" + i);
        await server.StartSessionAsync("held");
        await using var holder = new NpgsqlConnection(connection);
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using (
            var hold = new NpgsqlCommand("SELECT id FROM session WHERE external_id = 'held' FOR UPDATE", holder)
        )
            await hold.ExecuteScalarAsync();

        var held = Enumerable.Range(0, 32).Select(i => AppendAsync(server, "held", "w", "p" + i)).ToList();
        for (var round = 0; held.Exists(h => !h.IsCompleted); round++)
        {
            var free = await Task.WhenAll(
                Enumerable.Range(0, Writers).Select(i => AppendAsync(server, "free" + i % 8, "w", $"{round}-{i}"))
            );
            Assert.All(free, a => Assert.Equal(200, a.Status));
        }
        Assert.All(await Task.WhenAll(held), a => Assert.Equal(503, a.Status));
        await transaction.RollbackAsync();
        Assert.Equal(200, (await AppendAsync(server, "held", "w", "after")).Status);
        Assert.Single(await TextsAsync(server, "held"));
    }

    [Fact]
    public async Task Two_nodes_that_append_to_the_same_sessions_lose_and_double_nothing()
    {
        var connection = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var other = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        for (var i = 0; i < 8; i++)
            await one.StartSessionAsync("s" + i);
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 8 * Writers)
                .Select(async i =>
                {
                    // Each part goes to both nodes.
                    var node = i % 2 == 0 ? one : other;
                    var (session, part) = ("s" + i / 2 % 8, "p" + i / 16);
                    var answer = await AppendAsync(node, session, part, part, one.RootKey);
                    return (session, part, Seq: Seq(answer));
                })
        );
        foreach (var session in answers.GroupBy(a => a.session))
        {
            Assert.All(session.GroupBy(a => a.part), p => Assert.Single(p.Select(a => a.Seq).Distinct()));
            var seqs = session.Select(a => a.Seq).Distinct().Order().ToList();
            Assert.Equal(Enumerable.Range((int)seqs[0], seqs.Count).Select(n => (long)n), seqs);
        }
    }

    private static Task<Answer> AppendAsync(
        TestServer server,
        string session,
        string text,
        string part,
        string? credential = null
    ) =>
        server.SendAsync(
            HttpMethod.Post,
            $"/realtime/v1/sessions/{session}/out/append",
            credential ?? server.RootKey,
            text,
            ("X-Part-Id", part)
        );

    private static long Seq(Answer answer)
    {
        Assert.True(answer.Status == 200, answer.ToString());
        return answer.Json.GetProperty("seq").GetInt64();
    }

    /// <summary>The texts that tests appended; the agent and the server write objects.</summary>
    private static async Task<List<string>> TextsAsync(TestServer server, string session)
    {
        var page = (await server.GetAsync($"/realtime/v1/sessions/{session}/out/records")).Json;
        return
        [
            .. page.GetProperty("records")
                .EnumerateArray()
                .Select(r => r.GetProperty("data"))
                .Where(d => d.ValueKind == System.Text.Json.JsonValueKind.String)
                .Select(d => d.GetString()!)
                .Where(t => t.Length > 0),
        ];
    }
}
