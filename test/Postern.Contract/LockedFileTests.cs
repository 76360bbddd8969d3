using Microsoft.Data.Sqlite;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// SQLite when another process locks the file or a read does not end: every wait has a limit, and the answer says why.
/// </summary>
public sealed class LockedFileTests
{
    [Fact]
    public async Task While_another_process_holds_the_file_all_writes_are_refused_in_time_and_readiness_says_so()
    {
        await using var server = await TestServer.StartAsync();
        await server.StartSessionAsync("s");
        await server.SettledAsync();
        await using var other = Lock(server.DatabaseFile);
        var began = System.Diagnostics.Stopwatch.StartNew();
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 30).Select(i => server.PostAsync("/realtime/v1/sessions/s/out/append", "refused" + i))
        );
        Assert.All(answers, a => Assert.Equal((503, "1"), (a.Status, a.Header("Retry-After"))));
        // One wait for all of them, not one after another.
        Assert.InRange(began.Elapsed.TotalSeconds, 3, 14);
        var ready = await server.GetAsync("/readyz");
        Assert.Equal(503, ready.Status);
        Assert.Equal(200, (await server.GetAsync("/api/v1/sessions/s")).Status);

        await other.DisposeAsync();
        await WaitFor.TrueAsync(async () => (await server.GetAsync("/readyz")).Status == 200);
        var records = (await server.GetAsync("/realtime/v1/sessions/s/out/records")).Text;
        Assert.DoesNotContain("refused", records, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_of_a_client_that_has_gone_is_not_written_later()
    {
        await using var server = await TestServer.StartAsync();
        await server.StartSessionAsync("s");
        await server.SettledAsync();
        await using (Lock(server.DatabaseFile))
        {
            using var gone = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
            using var request = new HttpRequestMessage(HttpMethod.Post, "/realtime/v1/sessions/s/out/append");
            request.Headers.Add("Authorization", "Bearer " + server.RootKey);
            request.Content = new StringContent("nobody waits for it");
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => server.Http.SendAsync(request, gone.Token));
            // Held up for more than a moment, but less than the time after which it is refused.
            await Task.Delay(1500);
        }
        Assert.Equal(200, (await server.PostAsync("/realtime/v1/sessions/s/out/append", "after")).Status);
        var records = (await server.GetAsync("/realtime/v1/sessions/s/out/records")).Text;
        Assert.Contains("after", records, StringComparison.Ordinal);
        Assert.DoesNotContain("nobody waits", records, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endless_searches_are_interrupted_and_do_not_hold_up_others()
    {
        await using var server = await TestServer.StartAsync();
        StorageUse.Begin(new StorageUse(Asker.Request));
        var searches = Enumerable
            .Range(0, 8)
            .Select(_ => Record.ExceptionAsync(() => EndlessAsync(server.Database)).AsTask())
            .ToList();
        while (searches.Exists(s => !s.IsCompleted))
        {
            Assert.Equal(200, (await server.GetAsync("/readyz")).Status);
            Assert.Contains((await server.GetAsync("/api/v1/sessions")).Status, (int[])[200, 503]);
            Assert.Equal(404, (await server.GetAsync("/api/v1/sessions/none")).Status);
        }
        Assert.All(await Task.WhenAll(searches), f => Assert.IsType<StorageBusyException>(f));
        Assert.Equal(200, (await server.GetAsync("/api/v1/sessions")).Status);
    }

    [Fact]
    public async Task A_search_ends_with_the_request_that_asked()
    {
        await using var server = await TestServer.StartAsync();
        using var gone = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        StorageUse.Begin(new StorageUse(Asker.Request, () => gone.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => EndlessAsync(server.Database));
    }

    [Fact]
    public async Task A_reader_that_cannot_be_opened_costs_no_place_and_is_a_503()
    {
        var folder = Directory.CreateTempSubdirectory("postern-readers-");
        var file = Path.Combine(folder.FullName, "postern.db");
        Migrations.ApplyToSqlite(file);
        await using (var database = new SqliteDatabase(file, TimeProvider.System))
        {
            // No reader is open yet, and none can be: the file is not where it was.
            File.Move(file, file + ".away");
            for (var i = 0; i < 8; i++)
                await Assert.ThrowsAsync<StorageUnavailableException>(() => Migrations.VersionAsync(database).AsTask());
            File.Move(file + ".away", file);
            var version = await Migrations.VersionAsync(database).AsTask().WaitAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(Migrations.Newest, version);
        }
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_request_that_was_told_to_try_again_is_over_and_spoils_no_batch()
    {
        var folder = Directory.CreateTempSubdirectory("postern-over-");
        var file = Path.Combine(folder.FullName, "postern.db");
        Migrations.ApplyToSqlite(file);
        await using (var database = new SqliteDatabase(file, TimeProvider.System))
        {
            using var slow = new ManualResetEventSlim();
            var writing = new TaskCompletionSource();
            var first = database.WriteAsync(_ =>
            {
                writing.TrySetResult();
                slow.Wait();
                return ValueTask.FromResult(0);
            });
            await writing.Task;
            // Its request is over and its object is gone, so nobody can ask whether its client is still there.
            var late = Task.Run(() =>
            {
                StorageUse.Begin(new StorageUse(Asker.Request, () => throw new ObjectDisposedException("the request")));
                return database.WriteAsync(_ => ValueTask.FromResult(1));
            });
            await Assert.ThrowsAsync<StorageBusyException>(() => late);
            var others = Enumerable.Range(0, 5).Select(i => database.WriteAsync(_ => ValueTask.FromResult(i))).ToList();
            slow.Set();
            Assert.Equal(0, await first);
            Assert.Equal(Enumerable.Range(0, 5), await Task.WhenAll(others));
        }
        folder.Delete(recursive: true);
    }

    [Fact]
    public void A_commit_that_the_disk_failed_under_is_not_said_to_be_nothing()
    {
        Assert.IsType<StorageOutcomeUnknownException>(SqliteFaults.TranslateOfCommit(new SqliteException("I/O", 10)));
        Assert.IsType<StorageUnavailableException>(SqliteFaults.TranslateOfCommit(new SqliteException("full", 13)));
    }

    [Fact]
    public async Task A_disk_that_fails_under_a_command_is_told_as_such_to_all_of_its_batch()
    {
        await using var server = await TestServer.StartAsync();
        // As SQLite does when a write fails in the middle: the transaction is over, with its savepoints.
        var failed = server.Database.WriteAsync<int>(async tx =>
        {
            await tx.ExecuteAsync("ROLLBACK");
            throw new SqliteException("disk I/O error", 10);
        });
        var fault = await Assert.ThrowsAsync<StorageUnavailableException>(() => failed);
        Assert.Equal(10, Assert.IsType<SqliteException>(fault.InnerException).SqliteErrorCode);
        await server.StartSessionAsync("after");
    }

    [Fact]
    public async Task The_log_does_not_keep_the_size_of_its_largest_transaction()
    {
        await using var server = await TestServer.StartAsync();
        var log = new FileInfo(server.DatabaseFile + "-wal");
        await server.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                "INSERT INTO run_data (project, run, name, body) VALUES ('p', 'r', 'n', zeroblob(100000000))"
            )
        );
        log.Refresh();
        Assert.InRange(log.Length, 100_000_000, long.MaxValue);
        await WaitFor.TrueAsync(async () =>
        {
            await server.Database.WriteAsync(tx => tx.ExecuteAsync("DELETE FROM run_data WHERE project = 'p'"));
            await server.StartSessionAsync(Guid.NewGuid().ToString());
            log.Refresh();
            return log.Length <= 64 * 1024 * 1024;
        });
    }

    private const string Endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";

    private static Task<long> EndlessAsync(Database database) =>
        Task.Run(() => database.SearchAsync(tx => tx.FirstAsync(Endless, r => r.GetInt64(0))).AsTask());

    private static SqliteConnection Lock(string file)
    {
        var other = new SqliteConnection($"Data Source={file};Pooling=False");
        other.Open();
        using var begin = new SqliteCommand("BEGIN IMMEDIATE", other);
        begin.ExecuteNonQuery();
        return other;
    }
}
