using System.Text;
using Microsoft.Data.Sqlite;
using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A database as version 1 left it, with unfinished work, opened by this binary.</summary>
public sealed class UpgradeTests
{
    private const string Old = """
        INSERT INTO meta (name, number) VALUES ('schema_version', 1);
        INSERT INTO project (id, name, created_at) VALUES ('proj_old', 'old', 1);
        INSERT INTO agent (project, slug, kind, settings, created_at, updated_at)
        VALUES ('proj_old', 'echo', 'echo', '{}', 1, 1);
        INSERT INTO run (project, id, agent, workflow, status, attempt, input, boot_message, continuation, created_at,
          updated_at, ended_at, deadline_at, lease_until, lease_no, tries, idle_seconds)
          VALUES ('proj_old', 'run_old', 'echo', 'agent', 'succeeded', 1, {input}, 0, 0, 1700000000000000,
          1700000000000000, 1700000001000000, 1700000002000000, 0, 0, 0, 30);
        """;

    [Fact]
    public async Task Sqlite()
    {
        var folder = Directory.CreateTempSubdirectory("postern-upgrade-");
        var file = Path.Combine(folder.FullName, "postern.db");
        await using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            await connection.OpenAsync();
            string[] texts =
            [
                Migrations.CreateMetaFor("blob"),
                Migrations.ForSqlite(Migrations.All[0].Sql),
                Old.Replace("{input}", "X'7b7d'", StringComparison.Ordinal),
            ];
            foreach (var sql in texts)
            {
                await using var command = new SqliteCommand(sql, connection);
                await command.ExecuteNonQueryAsync();
            }
        }
        Assert.Equal(1, Migrations.ApplyToSqlite(file));
        await using (var database = new SqliteDatabase(file, TimeProvider.System))
            await CheckAsync(database);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Postgres()
    {
        var connectionString = await OldPostgresAsync();
        Assert.Equal(1, await Migrations.ApplyToPostgresAsync(connectionString, default));
        await using var database = new PostgresDatabase(connectionString, TimeProvider.System);
        await CheckAsync(database);
    }

    [Fact]
    public async Task A_change_waits_for_its_table_without_holding_up_those_who_use_it()
    {
        var connectionString = await OldPostgresAsync();
        await using var source = NpgsqlDataSource.Create(connectionString + ";Command Timeout=2");
        await using var busy = await source.OpenConnectionAsync();
        await using var held = await busy.BeginTransactionAsync();
        await using (var locks = new NpgsqlCommand("LOCK TABLE run IN ACCESS SHARE MODE", busy, held))
            await locks.ExecuteNonQueryAsync();
        var waits = new TaskCompletionSource();
        var says = new List<string>();
        var upgrade = Migrations.ApplyToPostgresAsync(
            connectionString + ";Command Timeout=1",
            default,
            text =>
            {
                says.Add(text);
                if (text.StartsWith("Waits until", StringComparison.Ordinal))
                    waits.SetResult();
            }
        );
        await waits.Task.WaitAsync(TimeSpan.FromSeconds(30));
        // Longer than a statement of the server may take. A queue behind the upgrade would end these by their timeout.
        var began = System.Diagnostics.Stopwatch.StartNew();
        while (began.Elapsed < TimeSpan.FromSeconds(3))
        {
            Assert.Equal(1, await ScalarAsync(source, "SELECT number FROM meta WHERE name = 'schema_version'"));
            Assert.Equal(1, await ScalarAsync(source, "SELECT COUNT(*) FROM run"));
            Assert.Equal(1, await ScalarAsync(source, "UPDATE run SET tries = tries + 1 RETURNING 1::bigint"));
        }
        Assert.False(upgrade.IsCompleted);
        await held.RollbackAsync();
        Assert.Equal(1, await upgrade);
        Assert.Contains("schema 1", says[0], StringComparison.Ordinal);
        Assert.Contains("ALTER TABLE run", says[1], StringComparison.Ordinal);
        await using var database = new PostgresDatabase(connectionString, TimeProvider.System);
        await CheckAsync(database);
    }

    [Fact]
    public async Task A_change_that_fails_is_named_and_the_next_start_continues_it()
    {
        var connectionString = await OldPostgresAsync();
        await using var source = NpgsqlDataSource.Create(connectionString);
        await ScalarAsync(source, "CREATE TABLE message_draft (mine bigint); SELECT 1::bigint");
        var fault = await Assert.ThrowsAsync<MigrationFailedException>(() =>
            Migrations.ApplyToPostgresAsync(connectionString, default)
        );
        Assert.Contains("0009_bounds", fault.Message, StringComparison.Ordinal);
        Assert.Contains("already exists", fault.Message, StringComparison.Ordinal);
        Assert.Equal(8, await ScalarAsync(source, "SELECT number FROM meta WHERE name = 'schema_version'"));
        // Three statements of it were made. They are not made again, which would fail.
        Assert.Equal(9003, await ScalarAsync(source, "SELECT number FROM meta WHERE name = 'schema_step'"));
        await ScalarAsync(source, "DROP TABLE message_draft; SELECT 1::bigint");
        Assert.Equal(8, await Migrations.ApplyToPostgresAsync(connectionString, default));
        await using var database = new PostgresDatabase(connectionString, TimeProvider.System);
        await CheckAsync(database);
    }

    [Fact]
    public async Task An_index_that_was_left_half_built_is_built_again()
    {
        var connectionString = await OldPostgresAsync();
        await using var source = NpgsqlDataSource.Create(connectionString);
        await ScalarAsync(
            source,
            """
            CREATE INDEX run_workflow ON run (project);
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'run_workflow'::regclass;
            SELECT 1::bigint
            """
        );
        Assert.Equal(1, await Migrations.ApplyToPostgresAsync(connectionString, default));
        await using var definition = source.CreateCommand(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'run_workflow'"
        );
        Assert.Contains("workflow_version", (string)(await definition.ExecuteScalarAsync())!, StringComparison.Ordinal);
        Assert.Equal(0, await ScalarAsync(source, "SELECT COUNT(*) FROM pg_index WHERE NOT indisvalid"));
    }

    [Fact]
    public async Task A_database_that_was_upgraded_has_the_indexes_and_columns_of_a_new_one()
    {
        const string shape = """
            SELECT string_agg(line, chr(10) ORDER BY line) FROM (
              SELECT indexdef AS line FROM pg_indexes WHERE schemaname = 'public'
              UNION ALL
              SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
              FROM information_schema.columns WHERE table_schema = 'public') lines
            """;
        var old = await OldPostgresAsync();
        await Migrations.ApplyToPostgresAsync(old, default);
        var fresh = PostgresServer.NewDatabase();
        await Migrations.ApplyToPostgresAsync(fresh, default);
        Assert.Equal(await ShapeAsync(fresh), await ShapeAsync(old));

        static async Task<string> ShapeAsync(string connectionString)
        {
            await using var source = NpgsqlDataSource.Create(connectionString);
            await using var command = source.CreateCommand(shape);
            return (string)(await command.ExecuteScalarAsync())!;
        }
    }

    [Fact]
    public async Task Rows_are_filled_in_by_ranges_of_blocks_and_none_is_left_out()
    {
        var connectionString = await OldPostgresAsync();
        await using var source = NpgsqlDataSource.Create(connectionString);
        await ScalarAsync(
            source,
            """
            INSERT INTO run (project, id, agent, workflow, status, attempt, boot_message, continuation, created_at,
              updated_at, deadline_at, lease_until, lease_no, tries, idle_seconds)
            SELECT 'proj_old', 'run_' || n, 'echo', 'agent', 'running', 1, 0, 0, n, n, n, 0, 0, 0, 30
            FROM generate_series(1, 60000) n;
            SELECT 1::bigint
            """
        );
        Assert.True(await ScalarAsync(source, "SELECT pg_relation_size('run') / 8192") > 512, "more than two ranges");
        await Migrations.ApplyToPostgresAsync(connectionString, default);
        Assert.Equal(
            0,
            await ScalarAsync(
                source,
                "SELECT COUNT(*) FROM run WHERE phase <> status OR total_at <> created_at + 86400000000"
            )
        );
    }

    [Fact]
    public async Task A_node_that_runs_ends_when_a_newer_one_has_changed_the_schema()
    {
        var connectionString = PostgresServer.NewDatabase();
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connectionString);
        var stopping = new TaskCompletionSource();
        server.App.Lifetime.ApplicationStopping.Register(stopping.SetResult);
        await using var source = NpgsqlDataSource.Create(connectionString);
        await ScalarAsync(source, "UPDATE meta SET number = 999 WHERE name = 'schema_version' RETURNING number");
        await stopping.Task.WaitAsync(TimeSpan.FromSeconds(10));
        var watch = (Postern.Access.AccessWatch)server.App.Services.GetService(typeof(Postern.Access.AccessWatch))!;
        Assert.Contains("999", watch.EndedBecause, StringComparison.Ordinal);
        Assert.Contains("This node ends", server.Log.Text, StringComparison.Ordinal);
    }

    private static async Task<long> ScalarAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task<string> OldPostgresAsync()
    {
        var connectionString = PostgresServer.NewDatabase();
        await using var source = NpgsqlDataSource.Create(connectionString);
        string[] texts =
        [
            Migrations.CreateMetaFor("bytea"),
            .. Migrations.StepsForPostgres(Migrations.All[0].Sql).Select(step => step.Plain),
            Old.Replace("{input}", "'\\x7b7d'", StringComparison.Ordinal),
        ];
        foreach (var sql in texts)
        {
            await using var command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
        return connectionString;
    }

    private static async Task CheckAsync(Database database)
    {
        var run = (await database.ReadAsync(tx => Postern.Runs.RunStore.FindAsync(tx, "proj_old", "run_old")))!;
        Assert.Equal(("succeeded", "succeeded", 0L, true), (run.Status, run.Phase, run.WorkflowVersion, run.IsEnded));
        Assert.Equal(
            "{}",
            Encoding.UTF8.GetString(
                (
                    await database.ReadAsync(tx =>
                        Postern.Runs.RunData.FindAsync(tx, "proj_old", "run_old", Postern.Runs.RunData.Input)
                    )
                )!
            )
        );
        Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(database));
    }
}
