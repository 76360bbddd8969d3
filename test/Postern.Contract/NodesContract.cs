using System.Text.RegularExpressions;
using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Nodes that share a PostgreSQL hear of each other's commits, even when notifications are lost, hints are missing or a
/// node dies before it has told. The cost does not grow with the listeners.
/// </summary>
public sealed partial class NodesContract
{
    private const string Clock = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_on_another_node_has_every_record_once_and_in_order(bool notificationsAreLost)
    {
        var connection = await NewDatabaseAsync(notificationsAreLost);
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var other = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await one.StartSessionAsync("s");
        await using var stream = await other.StreamAsync("/realtime/v1/sessions/s/out", one.RootKey);
        for (var i = 0; i < 60; i++)
        {
            var node = i % 2 == 0 ? one : other;
            Assert.Equal(
                200,
                (await node.PostAsync("/realtime/v1/sessions/s/out/append", $"word-{i}", one.RootKey)).Status
            );
        }
        var words = new List<string>();
        while (words.Count < 60)
            words.AddRange(Word().Matches((await NextAsync(stream)).Data).Select(m => m.Value));
        Assert.Equal(Enumerable.Range(0, 60).Select(i => $"word-{i}"), words);
    }

    [Fact]
    public async Task Idle_streams_cost_the_database_nothing()
    {
        var connection = await NewDatabaseAsync();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        var few = await OpenAsync(server, 0, 10);
        var before = await TransactionsAsync(connection, TimeSpan.FromSeconds(4));
        var many = await OpenAsync(server, 10, 300);
        // What the opening left to do ends first: on a busy machine that is later than here. A stream that polled by
        // itself, once a second, would be 1,200 more for ever.
        var after = long.MaxValue;
        for (var window = 0; window < 6 && after >= before + 150; window++)
            after = await TransactionsAsync(connection, TimeSpan.FromSeconds(4));
        Assert.True(after < before + 150, $"{before} transactions in 4 s with 10 streams, {after} with 310");
        // And they are all there.
        await server.PostAsync("/realtime/v1/sessions/s309/out/append", "the last");
        Assert.Contains("the last", (await NextAsync(many[^1])).Data, StringComparison.Ordinal);
        foreach (var stream in few.Concat(many))
            await stream.DisposeAsync();

        static async Task<List<EventReader>> OpenAsync(TestServer server, int from, int count)
        {
            var streams = new List<EventReader>();
            for (var i = from; i < from + count; i++)
            {
                await server.StartSessionAsync($"s{i}");
                streams.Add(await server.StreamAsync($"/realtime/v1/sessions/s{i}/out"));
            }
            return streams;
        }
    }

    [Fact]
    public async Task A_commit_of_a_node_that_died_before_announcing_it_is_seen()
    {
        var connection = await NewDatabaseAsync();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var source = NpgsqlDataSource.Create(connection);
        await server.StartSessionAsync("s");
        await using var stream = await server.StreamAsync("/realtime/v1/sessions/s/out");
        await BeatAsync(source, told: 0);
        await WaitUntilKnownAsync(source);
        await CommitUntoldAsync(source, "untold");
        // It no longer renews its row, which is noticed.
        Assert.Contains("untold", (await NextAsync(stream)).Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commits_behind_a_gap_in_the_hints_are_seen()
    {
        var connection = await NewDatabaseAsync();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var source = NpgsqlDataSource.Create(connection);
        await server.StartSessionAsync("s");
        await using var stream = await server.StreamAsync("/realtime/v1/sessions/s/out");
        await BeatAsync(source, told: 5);
        await WaitUntilKnownAsync(source);
        await CommitUntoldAsync(source, "untold");
        await RunAsync(source, $"INSERT INTO hint_log VALUES ('ghost', 7, {Clock}, 'something else')");
        Assert.Contains("untold", (await NextAsync(stream)).Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hints_are_deleted_when_everybody_has_read_them_and_the_others_are_not_told_twice()
    {
        var connection = await NewDatabaseAsync();
        await Migrations.ApplyToPostgresAsync(connection, default);
        await using var source = NpgsqlDataSource.Create(connection);
        await RunAsync(
            source,
            $"""
            INSERT INTO hint_log SELECT 'old', n, {Clock} - 200000000, 't' FROM generate_series(1, 12000) n;
            INSERT INTO hint_log SELECT 'new', n, {Clock}, 't' FROM generate_series(1, 10) n;
            INSERT INTO node VALUES ('old', 12000, {Clock} - 200000000), ('new', 10, {Clock});
            """
        );
        var log = new HintLog(source, "me");
        await log.CleanAsync(default);
        Assert.Equal(10, await CountAsync(source, "SELECT COUNT(*) FROM hint_log"));
        Assert.Equal(1, await CountAsync(source, "SELECT COUNT(*) FROM node"));
        var read = await log.ReadAsync((["new"], [4L]), default);
        Assert.Equal([5L, 6, 7, 8, 9, 10], read.Select(h => h.Number!.Value));
    }

    [Fact]
    public async Task A_row_changed_without_a_hint_calls_only_its_listeners()
    {
        var connection = await NewDatabaseAsync();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var source = NpgsqlDataSource.Create(connection);
        await server.StartSessionAsync("s");
        await server.StartSessionAsync("t");
        var project = await server.ProjectAsync();
        var changes = new Changes();
        var poked = new Dictionary<string, int>
        {
            ["s"] = 0,
            ["t"] = 0,
            ["later"] = 0,
        };
        foreach (var name in poked.Keys)
            changes.Listen(name, () => poked[name]++, WatchedRow.SessionNamed(project, name));
        var look = new RowPoller(source, changes);
        // Once each, as it is not known since when they listen.
        await look.PollAsync(default);
        Assert.All(poked.Values, times => Assert.Equal(1, times));
        await look.PollAsync(default);
        Assert.All(poked.Values, times => Assert.Equal(1, times));
        await RunAsync(source, "UPDATE session SET out_next = out_next + 1 WHERE external_id = 's'");
        await server.StartSessionAsync("later");
        await look.PollAsync(default);
        Assert.Equal((2, 1, 2), (poked["s"], poked["t"], poked["later"]));
    }

    [GeneratedRegex(@"word-\d+")]
    private static partial Regex Word();

    /// <summary>Writes a record of <c>out</c> as a node would, without telling the others.</summary>
    private static Task CommitUntoldAsync(NpgsqlDataSource source, string body) =>
        RunAsync(
            source,
            $"""
            WITH moved AS (
              UPDATE session SET out_next = out_next + 1 WHERE external_id = 's'
              RETURNING project, id, out_next - 1 AS seq)
            INSERT INTO record (project, session, channel, seq, at, body)
            SELECT project, id, 'out', seq, {Clock}, convert_to('"{body}"', 'UTF8') FROM moved
            """
        );

    private static Task BeatAsync(NpgsqlDataSource source, long told) =>
        RunAsync(source, $"INSERT INTO node VALUES ('ghost', {told}, {Clock})");

    /// <summary>
    /// A new node makes the others look at everything once; later commits must be seen in another way.
    /// </summary>
    private static async Task WaitUntilKnownAsync(NpgsqlDataSource source)
    {
        // A full round of the server's reads: it reads once a second at least, and says each second that it is there.
        var seen = await CountAsync(source, "SELECT seen_at FROM node WHERE id <> 'ghost'");
        await WaitFor.TrueAsync(async () =>
        {
            await RunAsync(source, $"UPDATE node SET seen_at = {Clock} WHERE id = 'ghost'");
            return await CountAsync(source, "SELECT seen_at FROM node WHERE id <> 'ghost'") > seen + 2_000_000;
        });
    }

    private static async Task<long> TransactionsAsync(string connection, TimeSpan span)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(connection) { Database = "postgres" }.ToString()
        );
        var name = new NpgsqlConnectionStringBuilder(connection).Database;
        var sql = $"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{name}'";
        // Fresh commits are counted a second later.
        await Task.Delay(TimeSpan.FromSeconds(1.5));
        var before = await CountAsync(source, sql);
        await Task.Delay(span);
        return await CountAsync(source, sql) - before;
    }

    private static async Task<string> NewDatabaseAsync(bool notificationsAreLost = false)
    {
        var connection = PostgresServer.NewDatabase();
        if (!notificationsAreLost)
            return connection;
        await using var source = NpgsqlDataSource.Create(connection);
        var name = new NpgsqlConnectionStringBuilder(connection).Database;
        // Replaces the server's own function and announces nothing, as a pooler does.
        await RunAsync(
            source,
            $"""
            CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT';
            ALTER DATABASE {name} SET search_path = public, pg_catalog;
            """
        );
        return connection;
    }

    private static async Task<ServerEvent> NextAsync(EventReader stream)
    {
        var next = await stream.NextAsync();
        Assert.NotNull(next);
        return next;
    }

    private static async Task<long> CountAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task RunAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
