using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>On PostgreSQL, a locked row delays only the requests that need it.</summary>
public sealed class HeldRowTests
{
    [Fact]
    public async Task A_held_session_costs_its_writers_a_503_and_nobody_else_anything()
    {
        var connection = PostgresServer.NewDatabase();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await server.StartSessionAsync("held");
        await server.StartSessionAsync("other");
        var ended = await server.NamedKeyAsync("ends");
        Assert.Equal(200, (await server.GetAsync("/api/v1/sessions/other", ended.Key)).Status);

        await using var held = await HeldAsync(
            connection,
            "SELECT id FROM session WHERE external_id = 'held' FOR UPDATE"
        );
        var began = System.Diagnostics.Stopwatch.StartNew();
        var writers = Enumerable
            .Range(0, 40)
            .Select(i => server.PostAsync("/realtime/v1/sessions/held/in/append", Chat.Message("held", "word" + i)))
            .ToList();
        do
        {
            var append = await server.PostAsync("/realtime/v1/sessions/other/out/append", "x");
            Assert.True(append.Status == 200, append.ToString());
            Assert.Equal(200, (await server.GetAsync("/sessions/other/history")).Status);
            Assert.Equal(200, (await server.GetAsync("/readyz")).Status);
        } while (writers.Exists(w => !w.IsCompleted));
        // Changes of access still get through, on this node and on all others.
        Assert.Equal(
            204,
            (await server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + ended.Id, server.RootKey)).Status
        );
        Assert.Equal(401, (await server.GetAsync("/api/v1/sessions/other", ended.Key)).Status);

        foreach (var answer in await Task.WhenAll(writers))
        {
            Assert.Equal((503, "1"), (answer.Status, answer.Header("Retry-After")));
            Assert.Contains("Nothing was written", answer.Text, StringComparison.Ordinal);
        }
        // Each of the forty waited about as long as a single one: they were not let in a few at a time.
        Assert.InRange(began.Elapsed.TotalSeconds, 1, 12);
        await held.DisposeAsync();
        Assert.Equal(200, (await server.SayAsync("held", "now")).Status);
    }

    [Fact]
    public async Task A_crowd_that_writes_about_one_session_is_served_in_its_order()
    {
        await using var server = await TestServer.StartAsync(Backend.Postgres);
        await server.StartSessionAsync("crowd");
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => server.SayAsync("crowd", "word" + i)));
        Assert.All(answers, a => Assert.True(a.Status == 200, a.ToString()));
    }

    [Fact]
    public async Task Busy_loops_and_requests_leave_places_for_each_other()
    {
        var connection = PostgresServer.NewDatabase();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        for (var i = 0; i < 40; i++)
            await server.StartSessionAsync("s" + i);
        await using var held = await HeldAsync(connection, "SELECT id FROM session FOR UPDATE");
        // Forty sessions are locked: all places for requests wait for rows, and more than those of the loops too.
        var requests = Enumerable.Range(0, 40).Select(i => server.SayAsync("s" + i, "x")).ToList();
        var loops = Enumerable
            .Range(0, 40)
            .Select(i =>
                Record
                    .ExceptionAsync(() =>
                        server.Database.WriteAsync(tx =>
                            tx.ExecuteAsync("UPDATE session SET updated_at = 1 WHERE external_id = $1", "s" + i)
                        )
                    )
                    .AsTask()
            )
            .ToList();
        while (requests.Exists(r => !r.IsCompleted) || loops.Exists(l => !l.IsCompleted))
            Assert.Equal(200, (await server.GetAsync("/readyz")).Status);
        Assert.All(await Task.WhenAll(requests), a => Assert.Equal(503, a.Status));
        Assert.All(await Task.WhenAll(loops), f => Assert.IsType<StorageBusyException>(f));
    }

    [Fact]
    public async Task A_search_ends_in_its_time_or_with_the_request_that_asked()
    {
        await using var server = await TestServer.StartAsync(Backend.Postgres);
        var searches = Enumerable.Range(0, 20).Select(_ => Record.ExceptionAsync(SleepAsync).AsTask()).ToList();
        while (searches.Exists(s => !s.IsCompleted))
        {
            Assert.Equal(200, (await server.GetAsync("/readyz")).Status);
            Assert.Equal(404, (await server.GetAsync("/api/v1/sessions/none")).Status);
        }
        Assert.All(await Task.WhenAll(searches), f => Assert.IsType<StorageBusyException>(f));

        using var gone = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        StorageUse.Begin(new StorageUse(Asker.Request, () => gone.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(SleepAsync);

        Task SleepAsync() =>
            server.Database.SearchAsync(tx => tx.FirstAsync("SELECT pg_sleep(60)::text", r => r.GetString(0))).AsTask();
    }

    private static async Task<NpgsqlConnection> HeldAsync(string connection, string sql)
    {
        var held = new NpgsqlConnection(connection + ";Pooling=false");
        await held.OpenAsync();
        await using (var begin = new NpgsqlCommand("BEGIN", held))
            await begin.ExecuteNonQueryAsync();
        await using var locks = new NpgsqlCommand(sql, held);
        await using (await locks.ExecuteReaderAsync())
        {
            // Held until the connection is closed.
        }
        return held;
    }
}
