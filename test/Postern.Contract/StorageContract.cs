using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>What the product relies on of its database. One set of facts, inherited by each implementation.</summary>
public abstract class StorageContract : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-storage-").FullName;
    private Database _database = null!;

    internal abstract Task<Database> OpenAsync(string folder);

    public async ValueTask InitializeAsync() => _database = await OpenAsync(_folder);

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<int> AddAsync(string id, long number = 0) => _database.WriteAsync(async tx => await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, $2)", id, number));

    private ValueTask<long> CountAsync() => _database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM project", r => r.GetInt64(0)));

    [Fact]
    public async Task What_was_written_is_read_by_the_next_read()
    {
        for (var i = 0; i < 50; i++)
        {
            await AddAsync("p" + i);
            Assert.Equal(i + 1, await CountAsync());
        }
    }

    [Fact]
    public async Task A_command_that_throws_spoils_only_itself()
    {
        var commands = Enumerable.Range(0, 64).Select(i => _database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, 0)", "p" + i);
            return i % 3 == 0 ? throw new InvalidOperationException("on purpose") : i;
        })).ToList();
        var outcomes = await Task.WhenAll(commands.Select(async c =>
        {
            try
            {
                return await c;
            }
            catch (InvalidOperationException)
            {
                return -1;
            }
        }));
        Assert.Equal(22, outcomes.Count(o => o == -1));
        Assert.Equal(42, await CountAsync());
    }

    [Fact]
    public async Task Concurrent_increments_lose_none()
    {
        await AddAsync("counter");
        await Task.WhenAll(Enumerable.Range(0, 64).Select(async _ =>
        {
            for (var i = 0; i < 10; i++)
                await _database.WriteAsync(async tx =>
                {
                    var now = await tx.FirstAsync("SELECT created_at FROM project WHERE id = 'counter'" + tx.ForUpdate, r => r.GetInt64(0));
                    return await tx.ExecuteAsync("UPDATE project SET created_at = $1 WHERE id = 'counter'", now + 1);
                });
        }));
        Assert.Equal(640, await _database.ReadAsync(tx => tx.FirstAsync("SELECT created_at FROM project", r => r.GetInt64(0))));
    }

    [Fact]
    public async Task Of_many_inserts_under_one_key_one_wins_and_the_row_counts_say_which()
    {
        var counts = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => _database.WriteAsync(async tx =>
            await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, 'one', 0) ON CONFLICT DO NOTHING", "p" + i))));
        Assert.Equal(1, counts.Sum());
    }

    [Fact]
    public async Task Topics_are_announced_after_the_commit_and_never_for_what_was_rolled_back()
    {
        var heard = new List<long>();
        using var listening = _database.Changes.Listen("topic", () =>
        {
            lock (heard) heard.Add(CountAsync().AsTask().GetAwaiter().GetResult());
        });
        await _database.WriteAsync(async tx =>
        {
            tx.Touch("topic");
            return await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ('a', 'a', 0)");
        });
        // Whenever it is heard, the row is there: at a commit, and whenever a node looks by itself.
        await WaitFor.TrueAsync(() => Task.FromResult(Heard().Contains(1)));
        await Assert.ThrowsAsync<InvalidOperationException>(() => _database.WriteAsync<int>(async tx =>
        {
            await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ('b', 'b', 0)");
            tx.Touch("topic");
            throw new InvalidOperationException("on purpose");
        }));
        Assert.DoesNotContain(2, Heard());

        long[] Heard()
        {
            lock (heard) return [.. heard];
        }
    }

    [Fact]
    public async Task A_listener_that_throws_touches_neither_the_commit_nor_another_listener()
    {
        var told = new SemaphoreSlim(0);
        using var before = _database.Changes.Mark("topic", () => throw new InvalidOperationException("on purpose"));
        using var first = _database.Changes.Listen("topic", () => throw new ObjectDisposedException("on purpose"));
        using var second = _database.Changes.Listen("topic", () => told.Release());
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(1, await TouchAsync("p" + i));
            Assert.True(await told.WaitAsync(TimeSpan.FromSeconds(10)));
        }
        Assert.Equal(20, await CountAsync());
    }

    [Fact]
    public async Task A_commit_is_answered_whatever_its_listeners_do()
    {
        using var go = new ManualResetEventSlim();
        using var stuck = _database.Changes.Listen("topic", () => go.Wait(TimeSpan.FromSeconds(30)));
        try
        {
            for (var i = 0; i < 3; i++) await TouchAsync("p" + i).WaitAsync(TimeSpan.FromSeconds(10));
        }
        finally
        {
            go.Set();
        }
        Assert.Equal(3, await CountAsync());
    }

    [Fact]
    public async Task What_marks_a_topic_knows_of_a_commit_before_its_answer()
    {
        var marks = 0;
        using var marking = _database.Changes.Mark("topic", () => Interlocked.Increment(ref marks));
        for (var i = 0; i < 50; i++)
        {
            await TouchAsync("p" + i);
            Assert.True(Volatile.Read(ref marks) > i);
        }
    }

    [Fact]
    public async Task A_listener_may_leave_while_it_is_told()
    {
        // What a reader that waits does: the first thing it hears is the last, and its hint is gone when the next is told.
        for (var round = 0; round < 20; round++)
        {
            var heard = Enumerable.Range(0, 20).Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToArray();
            var listening = new IDisposable?[heard.Length];
            for (var i = 0; i < heard.Length; i++)
            {
                var (place, hint) = (i, new Hint());
                listening[i] = _database.Changes.Listen("topic", () =>
                {
                    hint.Set();
                    Volatile.Read(ref listening[place])?.Dispose();
                    heard[place].TrySetResult();
                });
            }
            var ends = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => TouchAsync($"{round}-{i}")));
            Assert.All(ends, rows => Assert.Equal(1, rows));
            await Task.WhenAll(heard.Select(h => h.Task)).WaitAsync(TimeSpan.FromSeconds(10));
        }
    }

    [Fact]
    public async Task Work_that_is_too_long_is_done_outside_and_the_command_runs_again()
    {
        var (done, disposed, runs) = (0, 0, 0);
        Task<int> NeedsAsync(string id, bool fails) => _database.WriteAsync(async tx =>
        {
            Interlocked.Increment(ref runs);
            var rows = await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, 0)", id);
            if (Volatile.Read(ref done) < 2) throw new OutsideFirstException(WorkAsync);
            return fails ? throw new InvalidOperationException("on purpose") : rows;
        });
        var beside = Enumerable.Range(0, 20).Select(i => AddAsync("p" + i)).ToList();
        Assert.Equal(1, await NeedsAsync("long", fails: false));
        await Assert.ThrowsAsync<InvalidOperationException>(() => NeedsAsync("broken", fails: true));
        Assert.All(await Task.WhenAll(beside), rows => Assert.Equal(1, rows));
        Assert.Equal(21, await CountAsync());
        Assert.True(runs >= 4);
        // What was done is let go of once, with the command's end.
        await WaitFor.TrueAsync(() => Task.FromResult(Volatile.Read(ref disposed) == 2));

        // Work that fails is the command's failure.
        var refused = _database.WriteAsync<int>(
            _ => throw new OutsideFirstException(() => throw new TimeoutException("on purpose")));
        await Assert.ThrowsAnyAsync<Exception>(() => refused);
        Assert.Equal(1, await AddAsync("after"));

        async Task<IAsyncDisposable> WorkAsync()
        {
            // Outside of any transaction: it may read and write by itself.
            await AddAsync("outside" + Interlocked.Increment(ref done));
            await _database.WriteAsync(tx => tx.ExecuteAsync("DELETE FROM project WHERE id LIKE 'outside%'"));
            return new Disposing(() => Interlocked.Increment(ref disposed));
        }
    }

    private sealed class Disposing(Action disposed) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            disposed();
            return default;
        }
    }

    [Fact]
    public async Task A_command_that_takes_too_much_memory_fails_alone()
    {
        for (var i = 0; i < 3; i++)
        {
            var broken = _database.WriteAsync(_ => new ValueTask<string>(new string('x', int.MaxValue)));
            var sound = AddAsync("p" + i);
            await Assert.ThrowsAsync<OutOfMemoryException>(() => broken);
            Assert.Equal(1, await sound);
        }
    }

    private Task<int> TouchAsync(string id) => _database.WriteAsync(async tx =>
    {
        tx.Touch("topic");
        return await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, 0)", id);
    });

    [Fact]
    public async Task Text_numbers_bytes_and_nothing_come_back_as_they_went()
    {
        const string text = "ü ☂ 😀 '\"\\ \n\t";
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        await _database.WriteAsync(async tx => await tx.ExecuteAsync("INSERT INTO meta (name, number, bytes) VALUES ($1, $2, $3)", text, long.MaxValue, bytes));
        await _database.WriteAsync(async tx => await tx.ExecuteAsync("INSERT INTO meta (name, number, bytes) VALUES ($1, $2, $3)", "", long.MinValue, null));
        var rows = await _database.ReadAsync(tx => tx.ListAsync("SELECT name, number, bytes FROM meta WHERE name NOT LIKE 'schema_%' ORDER BY number", r => (r.GetString(0), r.GetInt64(1), r.BytesOrNull(2))));
        Assert.Equal(("", long.MinValue), (rows[0].Item1, rows[0].Item2));
        Assert.Null(rows[0].Item3);
        Assert.Equal((text, long.MaxValue), (rows[1].Item1, rows[1].Item2));
        Assert.Equal(bytes, rows[1].Item3);
    }

    [Fact]
    public async Task The_clock_is_the_databases_and_goes_forward()
    {
        var before = _database.Now;
        await AddAsync("p");
        Assert.InRange(_database.Now - before, 0, 60_000_000);
        Assert.InRange(Math.Abs(before - ((DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).Ticks / 10)), 0, 5_000_000);
    }

    [Fact]
    public async Task Its_schema_is_the_newest()
    {
        Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(_database));
        Assert.Distinct(Migrations.All.Select(m => m.Number));
    }
}

public sealed class SqliteStorageTests : StorageContract
{
    internal override Task<Database> OpenAsync(string folder)
    {
        Migrations.ApplyToSqlite(Path.Combine(folder, "db"));
        return Task.FromResult<Database>(new SqliteDatabase(Path.Combine(folder, "db"), TimeProvider.System));
    }

    /// <summary>A second connection for it is there in a test and not under load, so it is refused always, by the engine that every test runs on.</summary>
    [Fact]
    public async Task A_command_that_asks_beside_its_transaction_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("postern-storage-").FullName;
        await using (var database = await OpenAsync(folder))
        {
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await database.ReadAsync(async _ => await Migrations.VersionAsync(database)));
            await Assert.ThrowsAsync<InvalidOperationException>(() => database.WriteAsync(async _ => await Migrations.VersionAsync(database)));
            await Assert.ThrowsAsync<InvalidOperationException>(() => database.WriteAsync(async _ => await database.WriteAsync(_ => new ValueTask<int>(1))));
            Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(database));
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_file_that_is_newer_than_the_binary_is_refused()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("postern-newer-").FullName, "db");
        Assert.Equal(0, Migrations.ApplyToSqlite(file));
        Assert.Equal(Migrations.Newest, Migrations.ApplyToSqlite(file));
        using (var connection = new Microsoft.Data.Sqlite.SqliteConnection("Data Source=" + file + ";Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "UPDATE meta SET number = 999 WHERE name = 'schema_version'";
            command.ExecuteNonQuery();
        }
        Assert.Contains("999", Assert.Throws<SchemaTooNewException>(() => Migrations.ApplyToSqlite(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_commit_is_forced_to_the_disk()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("postern-sync-").FullName, "db");
        Migrations.ApplyToSqlite(file);
        await using var database = new SqliteDatabase(file, TimeProvider.System);
        Assert.Equal(2, await database.WriteAsync(tx => tx.FirstAsync("PRAGMA synchronous", r => r.GetInt64(0))));
        Assert.Equal("wal", await database.ReadAsync(tx => tx.FirstAsync("PRAGMA journal_mode", r => r.GetString(0))));
    }
}

public sealed class PostgresStorageTests : StorageContract
{
    internal override async Task<Database> OpenAsync(string folder)
    {
        var connection = PostgresServer.NewDatabase();
        await Migrations.ApplyToPostgresAsync(connection, default);
        var database = new PostgresDatabase(connection, TimeProvider.System);
        await database.StartAsync(default);
        return database;
    }

    [Fact]
    public async Task Nodes_that_start_at_once_on_an_empty_database_migrate_it_once()
    {
        var connection = PostgresServer.NewDatabase();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Migrations.ApplyToPostgresAsync(connection, default)));
        Assert.Equal(Migrations.Newest, await Migrations.ApplyToPostgresAsync(connection, default));
    }

    [Fact]
    public async Task Looking_goes_on_beside_a_listener_that_throws()
    {
        await using var database = await OpenAsync("");
        var looks = new SemaphoreSlim(0);
        using var broken = database.Changes.Listen("a", () => throw new ObjectDisposedException("on purpose"));
        using var sound = database.Changes.Listen("b", () => looks.Release());
        await database.WriteAsync(tx => tx.ExecuteAsync("INSERT INTO node VALUES ('another', 0, $1)", long.MaxValue / 2));
        for (var i = 1; i <= 3; i++)
        {
            // What it tells each time: that everything is to be looked at.
            await database.WriteAsync(tx => tx.ExecuteAsync(
                "INSERT INTO hint_log VALUES ('another', $1, $2, '*')", (long)i, database.Now));
            Assert.True(await looks.WaitAsync(TimeSpan.FromSeconds(10)));
        }
    }

    [Fact]
    public async Task Telling_and_hearing_go_on_after_whatever_fault_they_met()
    {
        var connection = PostgresServer.NewDatabase();
        await Migrations.ApplyToPostgresAsync(connection, default);
        // Stands before the server's own function, and fails for as long as the flag says: a fault that no list of codes knows.
        await using (var source = PostgresDatabase.CreateSource(connection))
        {
            await using var faulty = source.CreateCommand($$"""
                CREATE SCHEMA faulty;
                CREATE TABLE faulty.flag (up bigint);
                CREATE FUNCTION faulty.pg_notify(link text, payload text) RETURNS void LANGUAGE plpgsql AS
                $f$ BEGIN
                  IF EXISTS (SELECT 1 FROM faulty.flag) THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '54000'; END IF;
                  PERFORM pg_catalog.pg_notify(link, payload);
                END $f$;
                ALTER DATABASE {{new Npgsql.NpgsqlConnectionStringBuilder(connection).Database}} SET search_path = faulty, public, pg_catalog;
                """);
            await faulty.ExecuteNonQueryAsync();
        }
        Npgsql.NpgsqlConnection.ClearAllPools();
        await using var teller = new PostgresDatabase(connection, TimeProvider.System);
        await using var hearer = new PostgresDatabase(connection, TimeProvider.System);
        using var log = new LogSink();
        teller.Changes.Log = log;
        await teller.StartAsync(default);
        await hearer.StartAsync(default);
        // Where a hint was lost every listener is told to look: what one topic hears more often than the other was told.
        var (heard, looked) = (0, 0);
        using var listening = hearer.Changes.Listen("topic", () => Interlocked.Increment(ref heard));
        using var looking = hearer.Changes.Listen("another", () => Interlocked.Increment(ref looked));
        await HearsAsync("before");

        await teller.WriteAsync(async tx => await tx.ExecuteAsync("INSERT INTO faulty.flag VALUES (1)"));
        for (var i = 0; i < 3; i++) await TouchAsync("meanwhile" + i);
        await WaitFor.TrueAsync(() => Task.FromResult(log.Text.Contains("54000", StringComparison.Ordinal)));
        await teller.WriteAsync(async tx => await tx.ExecuteAsync("DELETE FROM faulty.flag"));
        await HearsAsync("after");

        // And the connection that hears is cut.
        await teller.WriteAsync(tx => tx.ListAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN postern'", r => r.GetBoolean(0)));
        await HearsAsync("again");

        Task<int> TouchAsync(string id) => teller.WriteAsync(async tx =>
        {
            tx.Touch("topic");
            return await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, 0)", id);
        });

        async Task HearsAsync(string what)
        {
            var (before, asked) = (Volatile.Read(ref heard) - Volatile.Read(ref looked), 0);
            await WaitFor.TrueAsync(async () =>
            {
                await TouchAsync(what + asked++);
                return Volatile.Read(ref heard) - Volatile.Read(ref looked) > before + 3;
            });
        }
    }

    [Fact]
    public async Task A_database_that_cannot_be_reached_is_said_to_be_unavailable()
    {
        await using var database = new PostgresDatabase($"Host=127.0.0.1;Port={PostgresServer.FreePort()};Username=nobody;Database=none;Timeout=2", TimeProvider.System);
        await Assert.ThrowsAsync<StorageUnavailableException>(async () => await database.ReadAsync(tx => tx.FirstAsync("SELECT 1::bigint", r => r.GetInt64(0))));
        await Assert.ThrowsAsync<StorageUnavailableException>(() => database.WriteAsync(async tx => await tx.ExecuteAsync("SELECT 1")));
    }
}
