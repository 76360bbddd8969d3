using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// The order of locks: the code keeps it, the check finds violations, and no two transactions wait for each other.
/// </summary>
public sealed class LockOrderTests
{
    [Theory]
    [InlineData("SELECT id FROM session WHERE id = $1 FOR UPDATE", "session")]
    [InlineData("SELECT id FROM run WHERE id IN (SELECT id FROM session) FOR UPDATE", "session")]
    [InlineData("SELECT 1 FROM workflow WHERE version = $1 FOR KEY SHARE", "workflow")]
    [InlineData("SELECT id FROM session WHERE id = $1", "")]
    [InlineData("UPDATE run SET due_at = 1 WHERE id = $1", "run")]
    [InlineData("UPDATE run SET due_at = 1 WHERE id IN (SELECT id FROM run LIMIT 1 FOR UPDATE SKIP LOCKED)", "")]
    [InlineData("DELETE FROM approval WHERE id = $1", "approval")]
    [InlineData("INSERT INTO run (id) VALUES ($1)", "")]
    [InlineData("INSERT INTO meta (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET number = 1", "meta")]
    [InlineData("WITH s AS (UPDATE session SET a = 1 RETURNING id) UPDATE run SET b = 1", "session run")]
    public void A_statement_says_by_its_text_what_it_locks(string sql, string tables) =>
        Assert.Equal(tables, string.Join(' ', LockOrder.LocksOf(sql)));

    [Fact]
    public void Every_table_has_its_place_in_the_code_and_in_the_document()
    {
        var architecture = File.ReadAllText(Repository.File("ARCHITECTURE.md"));
        var rows = architecture.Split('\n').Where(l => System.Text.RegularExpressions.Regex.IsMatch(l, @"^\| \d+ \|"));
        var written = rows.Select(l => l.Split('|')[2].Split('`').Where((_, i) => i % 2 == 1).ToArray()).ToArray();
        Assert.Equal(written, LockOrder.Order);
        var tables = Migrations
            .All.SelectMany(m => System.Text.RegularExpressions.Regex.Matches(m.Sql, @"CREATE TABLE (\w+)"))
            .Select(m => m.Groups[1].Value);
        Assert.Empty(tables.Except(LockOrder.Tables, StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_transaction_that_locks_against_the_order_throws()
    {
        var connection = PostgresServer.NewDatabase();
        await Migrations.ApplyToPostgresAsync(connection, default);
        await using var database = new PostgresDatabase(connection, TimeProvider.System);
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            database.WriteAsync(async tx =>
            {
                await tx.ExecuteAsync("UPDATE run SET due_at = 1 WHERE id = 'a'");
                return await tx.ExecuteAsync("UPDATE session SET closed_at = 1 WHERE id = 'a'");
            })
        );
        Assert.Contains("holds run locks session", fault.Message, StringComparison.Ordinal);
    }

    /// <summary>People and machines change one session, its runs, its trigger and its agent at the same time.</summary>
    [Fact]
    public async Task Sixty_four_requests_that_share_rows_neither_deadlock_nor_fail()
    {
        var connection = PostgresServer.NewDatabase();
        await RunAsync(connection);
        await using var source = NpgsqlDataSource.Create(connection);
        // What a connection has counted is written when it ends.
        await WaitFor.TrueAsync(async () =>
            await ScalarAsync(source, "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()") == 1
        );
        Assert.Equal(
            0,
            await ScalarAsync(source, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        );
    }

    private static async Task<long> ScalarAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task RunAsync(string connection)
    {
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        var admin = await server.KeyAsync("admin", "*:*");
        string[] runs = [];
        var sessions = "";

        // A dice that always falls in the same way.
        var dice = new Random(17);
        Func<int, Task<Answer>>[] acts =
        [
            i => server.SayAsync(sessions + (i % 4), "word" + i),
            i => server.PostAsync($"/realtime/v1/sessions/{sessions}{i % 4}/out/append", "chunk" + i),
            i => server.PostAsync($"/sessions/{sessions}{i % 4}/kill", null, admin),
            i => server.PostAsync($"/api/v1/sessions/{sessions}{i % 4}/close", null),
            i => server.StartSessionAsync(sessions + (i % 4)),
            i => server.PostAsync($"/api/v1/runs/{runs[i % 4]}/status", new { status = "running" }),
            i => server.PostAsync($"/api/v1/runs/{runs[i % 4]}/cancel", null),
            i => server.PostAsync($"/api/v1/runs/{runs[i % 4]}/retry", new { clientRequestId = "r" + i }),
            i => server.PostAsync($"/api/v1/executions/{runs[i % 4]}/request-approval", new { title = "May I?" }),
            i => server.PostAsync("/api/v1/runs", new { agent = "p" }, null, ("Idempotency-Key", sessions + (i % 8))),
            i => server.PostAsync("/api/v1/agents/p/claim", new { max = 2 }),
            i => server.PostAsync("/inbound/org/acme/t", new { n = i % 4, i }),
            i => server.SendAsync(HttpMethod.Delete, "/api/triggers/org/acme/t", server.RootKey),
            async _ => await MakeTriggerAsync(),
            i =>
                server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/agents/p",
                    server.RootKey,
                    new { kind = "pull", concurrency = 4 }
                ),
            i => server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p?force=1", server.RootKey),
            i => server.PostAsync("/api/v1/keys", new { name = "k" + i }),
        ];
        for (var round = 0; round < 6; round++)
        {
            sessions = $"s{round}-";
            await MakeTriggerAsync();
            await server.SendAsync(
                HttpMethod.Put,
                "/api/v1/agents/p",
                server.RootKey,
                new { kind = "pull", concurrency = 4 }
            );
            for (var i = 0; i < 4; i++)
                await server.StartSessionAsync(sessions + i);
            runs = await Task.WhenAll(
                Enumerable
                    .Range(0, 4)
                    .Select(async _ => (await server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id"))
            );
            var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => acts[dice.Next(acts.Length)](i)));
            Assert.All(answers, a => Assert.True(a.Status < 500, a.ToString()));
            Assert.Contains(answers, a => a.Status is 200 or 201 or 202);
        }
        Assert.DoesNotContain("order of locks", server.Log.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("which comes first", server.Log.Text, StringComparison.Ordinal);

        Task<Answer> MakeTriggerAsync() =>
            server.PostAsync(
                "/api/triggers/org/acme/t",
                new
                {
                    agent = "echo",
                    promptTemplate = "Say {{body.n}}",
                    sessionMode = "byKey",
                    sessionKey = "{{body.n}}",
                    maxInFlight = 100,
                }
            );
    }
}
