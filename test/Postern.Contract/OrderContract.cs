using System.Collections.Concurrent;
using Npgsql;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// The list of events for a client that reads back to a known event: nothing is missed, and nothing appears behind it.
/// </summary>
public sealed class OrderContract
{
    private const int Writers = 64;
    private const int Rounds = 6;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Who_follows_the_events_of_64_writers_on_two_nodes_has_each_once_and_in_order(Backend backend)
    {
        var shared = backend == Backend.Postgres ? PostgresServer.NewDatabase() : null;
        await using var one = await TestServer.StartAsync(backend, postgres: shared);
        await using var other = shared is null ? null : await TestServer.StartAsync(backend, postgres: shared);
        TestServer[] nodes = other is null ? [one, one] : [one, other];
        // A machine whose time is 30 s behind: the database's counts.
        other?.Clock.Advance(TimeSpan.FromSeconds(-30));
        if (other is { Database: PostgresDatabase late })
            await late.FollowClockAsync(default);
        var project = await one.ProjectAsync();
        using var over = new CancellationTokenSource();
        var followers = nodes.Concat(nodes).Select(node => FollowAsync(node, one.RootKey, over.Token)).ToList();

        var began = new ConcurrentDictionary<string, bool>();
        await Task.WhenAll(
            Enumerable
                .Range(0, Writers)
                .Select(async writer =>
                {
                    for (var round = 0; round < Rounds; round++)
                    {
                        var run = $"run_{writer}_{round}";
                        await EmitAsync(
                            nodes[(writer + round) % 2],
                            project,
                            "run.started",
                            run,
                            Random.Shared.Next(30)
                        );
                        await EmitAsync(
                            nodes[(writer + round + 1) % 2],
                            project,
                            "run.succeeded",
                            run,
                            Random.Shared.Next(30)
                        );
                        began[run] = true;
                    }
                })
        );
        await over.CancelAsync();

        foreach (var follower in followers)
        {
            var seen = (await follower).Where(e => e.Subject is not null && began.ContainsKey(e.Subject)).ToList();
            Assert.Equal(2 * Writers * Rounds, seen.Count);
            Assert.Equal(seen.Count, seen.Select(e => e.Id).Distinct(StringComparer.Ordinal).Count());
            Assert.All(
                seen.GroupBy(e => e.Subject, StringComparer.Ordinal),
                run => Assert.Equal(["run.started", "run.succeeded"], run.Select(e => e.Type))
            );
        }
    }

    [Fact]
    public async Task A_late_commit_is_never_listed_behind_shown_events()
    {
        await using var server = await TestServer.StartAsync(Backend.Postgres);
        var project = await server.ProjectAsync();
        var before = await IdsAsync(server);
        var (hasNumber, mayCommit) = (new TaskCompletionSource(), new TaskCompletionSource());
        var late = server.Database.WriteAsync(async tx =>
        {
            await EmitAsync(tx, project, "run.started", "run_late");
            hasNumber.SetResult();
            await mayCommit.Task;
            return 0;
        });
        await hasNumber.Task;
        await EmitAsync(server, project, "run.started", "run_quick", 0);

        // The committed one would stand behind the other, so it is shown only when that one is there too.
        Assert.Equal(before, await IdsAsync(server));
        mayCommit.SetResult();
        await late;
        var page = await PageAsync(server, server.RootKey, null);
        Assert.Equal(["run_quick", "run_late"], page.Events.Take(2).Select(e => e.Subject));
    }

    [Fact]
    public async Task A_node_that_does_not_know_yet_what_is_settled_says_so()
    {
        var shared = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: shared);
        var project = await one.ProjectAsync();
        var (hasNumber, mayCommit) = (new TaskCompletionSource(), new TaskCompletionSource());
        var late = one.Database.WriteAsync(async tx =>
        {
            await EmitAsync(tx, project, "run.started", "run_late");
            hasNumber.SetResult();
            await mayCommit.Task;
            return 0;
        });
        await hasNumber.Task;
        await using var fresh = await TestServer.StartAsync(Backend.Postgres, postgres: shared);
        var answer = await fresh.GetAsync("/api/v1/events", one.RootKey);
        Assert.Equal((503, "unavailable"), (answer.Status, answer.String("code")));
        mayCommit.SetResult();
        await late;
        Assert.Equal("run_late", (await PageAsync(fresh, one.RootKey, null)).Events[0].Subject);
    }

    [Fact]
    public async Task A_transaction_that_writes_no_events_holds_up_none()
    {
        var shared = PostgresServer.NewDatabase();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: shared);
        await using var source = NpgsqlDataSource.Create(shared);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var write = new NpgsqlCommand("CREATE TABLE mine (a text)", connection, transaction))
            await write.ExecuteNonQueryAsync();
        await EmitAsync(server, await server.ProjectAsync(), "run.started", "run_a", 0);
        Assert.Equal("run_a", (await PageAsync(server, server.RootKey, null)).Events[0].Subject);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Events_and_cursors_of_before_the_numbers_go_on(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var project = await server.ProjectAsync();
        await server.Database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync("DELETE FROM event");
            for (var i = 0; i < 5; i++)
            {
                var body = Outbox.Body("x", tx.Now, json => json.WriteString("subject", "old" + i));
                await tx.ExecuteAsync(
                    "INSERT INTO event (project, id, at, type, subject, body) VALUES ($1, $2, $3, 'x', $4, $5)",
                    project,
                    "evt_0" + i,
                    tx.Now,
                    "old" + i,
                    body
                );
            }
            return 0;
        });
        await EmitAsync(server, project, "run.created", "new0", 0);
        await EmitAsync(server, project, "run.created", "new1", 0);

        var (subjects, cursor) = (new List<string?>(), (string?)null);
        do
        {
            var page = await PageAsync(server, server.RootKey, cursor, 2);
            subjects.AddRange(page.Events.Select(e => e.Subject));
            cursor = page.Next;
        } while (cursor is not null);
        Assert.Equal(["new1", "new0", "old4", "old3", "old2", "old1", "old0"], subjects);
        // As version 0.3.0 gave it behind old3.
        var old = await PageAsync(server, server.RootKey, new Cursor(0, "evt_03").ToString());
        Assert.Equal(["old2", "old1", "old0"], old.Events.Select(e => e.Subject));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task No_number_comes_again_when_all_events_are_gone_or_a_backup_was_restored(Backend backend)
    {
        var shared = backend == Backend.Postgres ? PostgresServer.NewDatabase() : null;
        await using var server = await TestServer.StartAsync(backend, postgres: shared);
        var project = await server.ProjectAsync();
        await EmitAsync(server, project, "run.created", "a", 0);
        var last = await LastAsync();
        await server.Database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync("DELETE FROM event");
            // The sequence as a dump of an hour ago would have it.
            const string back = "SELECT setval('event_positions', $1)";
            return shared is null ? 0 : await tx.FirstAsync(back, r => r.GetInt64(0), last - 3_600_000_000);
        });
        await using var again = shared is null ? null : await TestServer.StartAsync(backend, postgres: shared);
        await EmitAsync(server, project, "run.created", "b", 0);
        Assert.True(await LastAsync() > last);

        async Task<long> LastAsync() =>
            await server.Database.ReadAsync(tx => tx.FirstAsync("SELECT MAX(position) FROM event", r => r.GetInt64(0)));
    }

    private static ValueTask EmitAsync(Tx tx, string project, string type, string subject) =>
        new Outbox().EmitAsync(
            tx,
            project,
            EventType.All.Single(t => t.Name == type),
            subject,
            json => json.WriteString("subject", subject)
        );

    /// <summary>An event whose transaction goes on for some milliseconds behind it, where it can.</summary>
    private static async Task EmitAsync(
        TestServer node,
        string project,
        string type,
        string subject,
        int milliseconds
    ) =>
        await node.Database.WriteAsync(async tx =>
        {
            await EmitAsync(tx, project, type, subject);
            if (tx.SendsAhead)
                await Task.Delay(milliseconds);
            return 0;
        });

    /// <summary>Reads back to the known event, again and again, and once more at the end; oldest first.</summary>
    private static async Task<List<Listed>> FollowAsync(TestServer node, string key, CancellationToken over)
    {
        var known = new List<Listed>();
        while (true)
        {
            var isLast = over.IsCancellationRequested;
            var (fresh, cursor) = (new List<Listed>(), (string?)null);
            do
            {
                var page = await PageAsync(node, key, cursor, 20);
                var unknown = page.Events.TakeWhile(e => known.Count == 0 || e.Id != known[^1].Id).ToList();
                fresh.AddRange(unknown);
                cursor = unknown.Count == page.Events.Count ? page.Next : null;
            } while (cursor is not null);
            fresh.Reverse();
            known.AddRange(fresh);
            if (isLast)
                return known;
        }
    }

    private static async Task<List<string>> IdsAsync(TestServer server) =>
        [.. (await PageAsync(server, server.RootKey, null)).Events.Select(e => e.Id)];

    private static async Task<(List<Listed> Events, string? Next)> PageAsync(
        TestServer node,
        string key,
        string? cursor,
        int limit = 50
    )
    {
        var from = cursor is null ? "" : "&cursor=" + cursor;
        var answer = await node.GetAsync($"/api/v1/events?limit={limit}{from}", key);
        Assert.True(answer.Status == 200, answer.Text);
        var events = answer
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(e => new Listed(
                e.GetProperty("id").GetString()!,
                e.GetProperty("type").GetString()!,
                e.GetProperty("data").TryGetProperty("subject", out var subject) ? subject.GetString() : null
            ))
            .ToList();
        return (events, answer.Json.TryGetProperty("nextCursor", out var next) ? next.GetString() : null);
    }

    private sealed record Listed(string Id, string Type, string? Subject);
}
