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
    public async Task Text_numbers_bytes_and_nothing_come_back_as_they_went()
    {
        const string text = "ü ☂ 😀 '\"\\ \n\t";
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        await _database.WriteAsync(async tx => await tx.ExecuteAsync("INSERT INTO meta (name, number, bytes) VALUES ($1, $2, $3)", text, long.MaxValue, bytes));
        await _database.WriteAsync(async tx => await tx.ExecuteAsync("INSERT INTO meta (name, number, bytes) VALUES ($1, $2, $3)", "", long.MinValue, null));
        var rows = await _database.ReadAsync(tx => tx.ListAsync("SELECT name, number, bytes FROM meta WHERE name <> 'schema_version' ORDER BY number", r => (r.GetString(0), r.GetInt64(1), r.BytesOrNull(2))));
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
    public async Task Its_schema_is_the_newest() => Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(_database));
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
        var had = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Migrations.ApplyToPostgresAsync(connection, default)));
        Assert.Equal(1, had.Count(v => v == 0));
    }

    [Fact]
    public async Task A_database_that_cannot_be_reached_is_said_to_be_unavailable()
    {
        await using var database = new PostgresDatabase($"Host=127.0.0.1;Port={PostgresServer.FreePort()};Username=nobody;Database=none;Timeout=2", TimeProvider.System);
        await Assert.ThrowsAsync<StorageUnavailableException>(async () => await database.ReadAsync(tx => tx.FirstAsync("SELECT 1::bigint", r => r.GetInt64(0))));
        await Assert.ThrowsAsync<StorageUnavailableException>(() => database.WriteAsync(async tx => await tx.ExecuteAsync("SELECT 1")));
    }
}
