using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

public sealed class SqliteStorageTests : StorageContract
{
    internal override Task<Database> OpenAsync(string folder)
    {
        Migrations.ApplyToSqlite(Path.Combine(folder, "db"));
        return Task.FromResult<Database>(new SqliteDatabase(Path.Combine(folder, "db"), TimeProvider.System));
    }

    /// <summary>
    /// A second connection for it exists in a test, but not under load. So it is always refused, on the engine that
    /// every test uses.
    /// </summary>
    [Fact]
    public async Task A_command_that_asks_beside_its_transaction_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("postern-storage-").FullName;
        await using (var database = await OpenAsync(folder))
        {
            await Assert.ThrowsAsync<InvalidOperationException>(async () =>
                await database.ReadAsync(async _ => await Migrations.VersionAsync(database))
            );
            await Assert.ThrowsAsync<InvalidOperationException>(() =>
                database.WriteAsync(async _ => await Migrations.VersionAsync(database))
            );
            await Assert.ThrowsAsync<InvalidOperationException>(() =>
                database.WriteAsync(async _ => await database.WriteAsync(_ => new ValueTask<int>(1)))
            );
            Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(database));
        }
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>
    /// A process without memory or descriptors may fail anywhere, also in the log and while answering.
    /// </summary>
    [Fact]
    public async Task A_writer_that_fails_between_the_commit_and_the_answers_answers_all_the_same_and_goes_on()
    {
        var folder = Directory.CreateTempSubdirectory("postern-writer-").FullName;
        await using (var database = await OpenAsync(folder))
        {
            using var failing = new FailingLog();
            database.Changes.Log = failing;
            using (database.Changes.Mark("topic", () => throw new IOException("on purpose")))
            {
                var write = database.WriteAsync(tx =>
                {
                    tx.Notify("topic");
                    return new ValueTask<int>(1);
                });
                await Assert.ThrowsAsync<StorageOutcomeUnknownException>(() =>
                    write.WaitAsync(TimeSpan.FromSeconds(10))
                );
                // The listener's fault, and the writer's own.
                await WaitFor.TrueAsync(() => Task.FromResult(failing.Tried > 1));
            }
            Assert.Equal(2, await database.WriteAsync(_ => new ValueTask<int>(2)).WaitAsync(TimeSpan.FromSeconds(10)));
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
        Assert.Contains(
            "999",
            Assert.Throws<SchemaTooNewException>(() => Migrations.ApplyToSqlite(file)).Message,
            StringComparison.Ordinal
        );
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
