using System.Text;
using Microsoft.Data.Sqlite;
using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A database as version 1 left it, with work under way, opened by this binary.</summary>
public sealed class UpgradeTests
{
    private const string Old = """
        INSERT INTO meta (name, number) VALUES ('schema_version', 1);
        INSERT INTO project (id, name, created_at) VALUES ('proj_old', 'old', 1);
        INSERT INTO agent (project, slug, kind, settings, created_at, updated_at) VALUES ('proj_old', 'echo', 'echo', '{}', 1, 1);
        INSERT INTO run (project, id, agent, workflow, status, attempt, input, boot_message, continuation, created_at, updated_at, ended_at, deadline_at, lease_until, lease_no, tries, idle_seconds)
          VALUES ('proj_old', 'run_old', 'echo', 'agent', 'succeeded', 1, {input}, 0, 0, 1700000000000000, 1700000000000000, 1700000001000000, 1700000002000000, 0, 0, 0, 30);
        """;

    [Fact]
    public async Task Sqlite()
    {
        var folder = Directory.CreateTempSubdirectory("postern-upgrade-");
        var file = Path.Combine(folder.FullName, "postern.db");
        await using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            await connection.OpenAsync();
            foreach (var sql in (string[])["CREATE TABLE meta (name text NOT NULL PRIMARY KEY, number bigint NOT NULL, bytes blob)", Migrations.All[0].Sql.Replace("{bytes}", "blob", StringComparison.Ordinal).Replace("{rowless}", "WITHOUT ROWID", StringComparison.Ordinal), Old.Replace("{input}", "X'7b7d'", StringComparison.Ordinal)])
            {
                await using var command = new SqliteCommand(sql, connection);
                await command.ExecuteNonQueryAsync();
            }
        }
        Assert.Equal(1, Migrations.ApplyToSqlite(file));
        await using (var database = new SqliteDatabase(file, TimeProvider.System)) await CheckAsync(database);
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
    public async Task A_change_takes_as_long_as_it_takes_and_nobody_who_reads_the_version_waits()
    {
        var connectionString = await OldPostgresAsync();
        await using var reader = NpgsqlDataSource.Create(connectionString);
        await using var busy = await reader.OpenConnectionAsync();
        await using var held = await busy.BeginTransactionAsync();
        await using (var locks = new NpgsqlCommand("LOCK TABLE run IN ACCESS SHARE MODE", busy, held))
            await locks.ExecuteNonQueryAsync();
        var says = new List<string>();
        var upgrade = Migrations.ApplyToPostgresAsync(connectionString + ";Command Timeout=1", default, says.Add);
        // Until the change waits for the table, and then for longer than a statement of the server may.
        await WaitFor.TrueAsync(async () => await ScalarAsync(reader, "SELECT COUNT(*) FROM pg_locks WHERE NOT granted") > 0);
        var began = System.Diagnostics.Stopwatch.StartNew();
        while (began.Elapsed < TimeSpan.FromSeconds(3))
            Assert.Equal(1, await ScalarAsync(reader, "SELECT number FROM meta WHERE name = 'schema_version'"));
        Assert.False(upgrade.IsCompleted);
        await held.RollbackAsync();
        Assert.Equal(1, await upgrade);
        Assert.Contains("schema 1", Assert.Single(says), StringComparison.Ordinal);
        await using var database = new PostgresDatabase(connectionString, TimeProvider.System);
        await CheckAsync(database);
    }

    [Fact]
    public async Task A_change_that_fails_is_named_and_leaves_nothing()
    {
        var connectionString = await OldPostgresAsync();
        await using var source = NpgsqlDataSource.Create(connectionString);
        await ScalarAsync(source, "CREATE TABLE workflow (mine bigint); SELECT 1::bigint");
        var fault = await Assert.ThrowsAsync<MigrationFailedException>(
            () => Migrations.ApplyToPostgresAsync(connectionString, default));
        Assert.Contains("0002_runs", fault.Message, StringComparison.Ordinal);
        Assert.Contains("already exists", fault.Message, StringComparison.Ordinal);
        Assert.Equal(1, await ScalarAsync(source, "SELECT number FROM meta WHERE name = 'schema_version'"));
        await ScalarAsync(source, "DROP TABLE workflow; SELECT 1::bigint");
        Assert.Equal(1, await Migrations.ApplyToPostgresAsync(connectionString, default));
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
            "CREATE TABLE meta (name text NOT NULL PRIMARY KEY, number bigint NOT NULL, bytes bytea)",
            Migrations.All[0].Sql.Replace("{bytes}", "bytea", StringComparison.Ordinal).Replace("{rowless}", "", StringComparison.Ordinal),
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
        Assert.Equal("{}", Encoding.UTF8.GetString((await database.ReadAsync(tx => Postern.Runs.RunData.FindAsync(tx, "proj_old", "run_old", Postern.Runs.RunData.Input)))!));
        Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(database));
    }
}
