using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

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

    /// <summary>Without it, each later command on the connection would fail.</summary>
    [Fact]
    public async Task A_connection_that_has_lost_its_prepared_statements_prepares_them_anew()
    {
        var connection = PostgresServer.NewDatabase() + ";Max Auto Prepare=64;Maximum Pool Size=6";
        await Migrations.ApplyToPostgresAsync(connection, default);
        await using var database = new PostgresDatabase(connection, TimeProvider.System);
        await ReadOftenAsync();
        await database.ReadAsync(tx => tx.ExecuteAsync("DEALLOCATE ALL"));
        await ReadOftenAsync();

        // A text that is none fails in the driver, before anything is sent. A command after it succeeds.
        for (var i = 0; i < 10; i++)
        {
            await Assert.ThrowsAsync<System.Text.EncoderFallbackException>(() => WriteAsync("\uD83D"));
            Assert.Equal(1, await WriteAsync("name" + i));
        }

        Task<int> WriteAsync(string name) =>
            database.WriteAsync(tx => tx.ExecuteAsync("INSERT INTO meta (name, number) VALUES ($1, 1)", name));

        async Task ReadOftenAsync()
        {
            for (var i = 0; i < 10; i++)
                Assert.Equal(1, await database.ReadAsync(tx => tx.FirstAsync("SELECT 1", r => r.GetInt32(0))));
        }
    }

    [Fact]
    public async Task A_statement_that_was_prepared_for_a_table_before_its_upgrade_is_prepared_anew()
    {
        var connection = PostgresServer.NewDatabase() + ";Max Auto Prepare=64;Maximum Pool Size=6";
        await Migrations.ApplyToPostgresAsync(connection, default);
        await using var database = new PostgresDatabase(connection, TimeProvider.System);
        await WriteOftenAsync(columns: 3);
        await database.WriteAsync(tx => tx.ExecuteAsync("ALTER TABLE meta ADD COLUMN another bigint"));
        await WriteOftenAsync(columns: 4);

        async Task WriteOftenAsync(int columns)
        {
            const string one = "UPDATE meta SET number = number WHERE name = 'schema_version' RETURNING *";
            for (var i = 0; i < 10; i++)
            {
                Assert.Equal(columns, await database.WriteAsync(tx => tx.FirstAsync(one, r => r.FieldCount)));
                Assert.Equal(
                    columns,
                    await database.ReadAsync(tx => tx.FirstAsync("SELECT * FROM meta", r => r.FieldCount))
                );
            }
        }
    }

    [Theory]
    [InlineData("", 64)]
    [InlineData(";Max Auto Prepare=0", 0)]
    [InlineData(";MaxAutoPrepare=7", 7)]
    public async Task Statements_are_prepared_without_a_pooler_unless_the_operator_says_otherwise(
        string given,
        int most
    )
    {
        var fit = await PostgresConnection.FitAsync(PostgresServer.NewDatabase() + given, default);
        Assert.Equal(most, PostgresConnection.SettingsOf(fit).MaxAutoPrepare);
    }

    [Fact]
    public void Every_name_of_a_setting_of_the_driver_is_heard()
    {
        var settings = PostgresConnection.SettingsOf(
            "Host=db;MaxPoolSize=7;CommandTimeout=3;SslMode=Require;Timeout=15"
        );
        Assert.Equal(
            (7, 3, SslMode.Require, 15),
            (settings.MaxPoolSize, settings.CommandTimeout, settings.SslMode, settings.Timeout)
        );
    }

    [Fact]
    public async Task Looking_goes_on_beside_a_listener_that_throws()
    {
        await using var database = await OpenAsync("");
        var looks = new SemaphoreSlim(0);
        using var broken = database.Changes.Listen("a", () => throw new ObjectDisposedException("on purpose"));
        using var sound = database.Changes.Listen("b", () => looks.Release());
        await database.WriteAsync(tx =>
            tx.ExecuteAsync("INSERT INTO node VALUES ('another', 0, $1)", long.MaxValue / 2)
        );
        for (var i = 1; i <= 3; i++)
        {
            // What it tells each time: that everything is to be looked at.
            await database.WriteAsync(tx =>
                tx.ExecuteAsync("INSERT INTO hint_log VALUES ('another', $1, $2, '*')", (long)i, database.Now)
            );
            Assert.True(await looks.WaitAsync(TimeSpan.FromSeconds(10)));
        }
    }

    [Fact]
    public async Task A_statement_that_takes_longer_than_the_operator_lets_it_is_told_as_that()
    {
        var connection = PostgresServer.NewDatabase();
        await Migrations.ApplyToPostgresAsync(connection, default);
        await using var database = new PostgresDatabase(
            connection + ";Options=-c statement_timeout=50",
            TimeProvider.System
        );
        const string slow = "SELECT 1 FROM pg_sleep(20)";
        await Assert.ThrowsAsync<StorageBusyException>(async () =>
            await database.ReadAsync(tx => tx.ListAsync(slow, _ => 1))
        );
        await Assert.ThrowsAsync<StorageBusyException>(async () =>
            await database.SearchAsync(tx => tx.ListAsync(slow, _ => 1))
        );
        Assert.Equal(1, await database.ReadAsync(tx => tx.FirstAsync("SELECT 1", r => r.GetInt32(0))));
    }

    [Fact]
    public async Task Telling_and_hearing_go_on_after_whatever_fault_they_met()
    {
        var connection = PostgresServer.NewDatabase();
        await Migrations.ApplyToPostgresAsync(connection, default);
        // Replaces the server's own function and fails while the flag is set: a fault that no list of codes contains.
        await using (var source = PostgresDatabase.CreateSource(connection))
        {
            var name = new Npgsql.NpgsqlConnectionStringBuilder(connection).Database;
            await using var faulty = source.CreateCommand(
                $$"""
                CREATE SCHEMA faulty;
                CREATE TABLE faulty.flag (up bigint);
                CREATE FUNCTION faulty.pg_notify(link text, payload text) RETURNS void LANGUAGE plpgsql AS
                $f$ BEGIN
                  IF EXISTS (SELECT 1 FROM faulty.flag) THEN
                    RAISE EXCEPTION 'on purpose' USING ERRCODE = '54000';
                  END IF;
                  PERFORM pg_catalog.pg_notify(link, payload);
                END $f$;
                ALTER DATABASE {{name}} SET search_path = faulty, public, pg_catalog;
                """
            );
            await faulty.ExecuteNonQueryAsync();
        }
        Npgsql.NpgsqlConnection.ClearAllPools();
        await using var teller = new PostgresDatabase(connection, TimeProvider.System);
        await using var hearer = new PostgresDatabase(connection, TimeProvider.System);
        using var log = new LogSink();
        teller.Changes.Log = log;
        await teller.StartAsync(default);
        await hearer.StartAsync(default);
        // Where a hint was lost every listener is told to look: what one topic hears more often than the other was
        // told.
        var (heard, looked) = (0, 0);
        using var listening = hearer.Changes.Listen("topic", () => Interlocked.Increment(ref heard));
        using var looking = hearer.Changes.Listen("another", () => Interlocked.Increment(ref looked));
        await HearsAsync("before");

        await teller.WriteAsync(async tx => await tx.ExecuteAsync("INSERT INTO faulty.flag VALUES (1)"));
        for (var i = 0; i < 3; i++)
            await TouchAsync("meanwhile" + i);
        await WaitFor.TrueAsync(() => Task.FromResult(log.Text.Contains("54000", StringComparison.Ordinal)));
        await teller.WriteAsync(async tx => await tx.ExecuteAsync("DELETE FROM faulty.flag"));
        await HearsAsync("after");

        // And the connection that hears is cut.
        await teller.WriteAsync(tx =>
            tx.ListAsync(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN postern'",
                r => r.GetBoolean(0)
            )
        );
        await HearsAsync("again");

        Task<int> TouchAsync(string id) =>
            teller.WriteAsync(async tx =>
            {
                tx.Notify("topic");
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
        await using var database = new PostgresDatabase(
            $"Host=127.0.0.1;Port={PostgresServer.FreePort()};Username=nobody;Database=none;Timeout=2",
            TimeProvider.System
        );
        await Assert.ThrowsAsync<StorageUnavailableException>(async () =>
            await database.ReadAsync(tx => tx.FirstAsync("SELECT 1::bigint", r => r.GetInt64(0)))
        );
        await Assert.ThrowsAsync<StorageUnavailableException>(() =>
            database.WriteAsync(async tx => await tx.ExecuteAsync("SELECT 1"))
        );
    }
}
