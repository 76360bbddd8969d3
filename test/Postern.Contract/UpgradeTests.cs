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
        var connectionString = PostgresServer.NewDatabase();
        await using (var source = NpgsqlDataSource.Create(connectionString))
        {
            foreach (var sql in (string[])["CREATE TABLE meta (name text NOT NULL PRIMARY KEY, number bigint NOT NULL, bytes bytea)", Migrations.All[0].Sql.Replace("{bytes}", "bytea", StringComparison.Ordinal).Replace("{rowless}", "", StringComparison.Ordinal), Old.Replace("{input}", "'\\x7b7d'", StringComparison.Ordinal)])
            {
                await using var command = source.CreateCommand(sql);
                await command.ExecuteNonQueryAsync();
            }
        }
        Assert.Equal(1, await Migrations.ApplyToPostgresAsync(connectionString, default));
        await using var database = new PostgresDatabase(connectionString, TimeProvider.System);
        await CheckAsync(database);
    }

    private static async Task CheckAsync(Database database)
    {
        var run = (await database.ReadAsync(tx => Postern.Runs.RunStore.FindAsync(tx, "proj_old", "run_old")))!;
        Assert.Equal(("succeeded", "succeeded", 0L, true), (run.Status, run.Phase, run.WorkflowVersion, run.IsEnded));
        Assert.Equal("{}", Encoding.UTF8.GetString((await database.ReadAsync(tx => Postern.Runs.RunData.FindAsync(tx, "proj_old", "run_old", Postern.Runs.RunData.Input)))!));
        Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(database));
    }
}
