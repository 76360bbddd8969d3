using System.Reflection;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// The numbered schema changes, embedded in the binary. All that are missing are applied in one transaction; a database that
/// is newer than the binary is refused, so that an old binary never writes what it does not understand.
/// </summary>
internal static class Migrations
{
    private const string CreateMeta = "CREATE TABLE IF NOT EXISTS meta (name text NOT NULL PRIMARY KEY, number bigint NOT NULL, bytes {bytes})";
    private const string ReadVersion = "SELECT number FROM meta WHERE name = 'schema_version'";

    /// <summary>The numbers and texts, in order; a text names what differs between the databases in braces.</summary>
    public static IReadOnlyList<(int Number, string Name, string Sql)> All { get; } = Load();

    public static int Newest => All[^1].Number;

    /// <summary>Brings a SQLite file (made if it is missing, mode 0600) to <see cref="Newest"/>; answers the version it had.</summary>
    /// <exception cref="SchemaTooNewException"/>
    public static int ApplyToSqlite(string file)
    {
        if (!File.Exists(file)) using (File.Open(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite })) { }
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ToString());
        connection.Open();
        Run("PRAGMA journal_mode=WAL");
        Run("PRAGMA synchronous=FULL");
        // Immediate: two processes that start at once are put in order here.
        Run("BEGIN IMMEDIATE");
        Run(CreateMeta.Replace("{bytes}", "blob", StringComparison.Ordinal));
        var had = Convert.ToInt32(Scalar(ReadVersion) ?? 0);
        RefuseNewer(had, file);
        foreach (var (_, _, sql) in All.Where(m => m.Number > had)) Run(ForSqlite(sql));
        if (had < Newest) Run($"INSERT INTO meta (name, number) VALUES ('schema_version', {Newest}) ON CONFLICT (name) DO UPDATE SET number = {Newest}");
        Run("COMMIT");
        return had;

        void Run(string sql)
        {
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }

        object? Scalar(string sql)
        {
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            return command.ExecuteScalar();
        }
    }

    /// <summary>Brings a PostgreSQL database to <see cref="Newest"/>; answers the version it had. Nodes that start at once wait for one another.</summary>
    /// <exception cref="SchemaTooNewException"/>
    public static async Task<int> ApplyToPostgresAsync(string connectionString, CancellationToken cancel)
    {
        await using var source = PostgresDatabase.CreateSource(connectionString);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await ApplyOnceAsync(source, cancel);
            }
            catch (PostgresException fault) when (attempt < 5 && fault.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable)
            {
                // Another node created the table of versions in the same moment: look again, behind its lock.
            }
        }
    }

    /// <summary>The version of a SQLite file that may be served at this moment; nothing of it is changed.</summary>
    public static int VersionOfSqlite(string file)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadWrite, Pooling = false }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = ReadVersion;
        return Convert.ToInt32(command.ExecuteScalar() ?? 0);
    }

    /// <summary>
    /// Whether secrets in a SQLite file are sealed already: then the master key is one that exists, and none is made.
    /// </summary>
    public static bool IsSealedSqlite(string file)
    {
        if (!File.Exists(file)) return false;
        using var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadWrite, Pooling = false }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'";
        if (command.ExecuteScalar() is not 1L) return false;
        command.CommandText = "SELECT COUNT(*) FROM meta WHERE name = 'master_key'";
        return command.ExecuteScalar() is 1L;
    }

    /// <summary>The version of an opened database; 0 when it has none.</summary>
    public static ValueTask<int> VersionAsync(Database database) =>
        database.ReadAsync(async tx => await tx.FirstAsync(ReadVersion, r => (int)r.GetInt64(0)));

    private static async Task<int> ApplyOnceAsync(NpgsqlDataSource source, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await RunAsync(CreateMeta.Replace("{bytes}", "bytea", StringComparison.Ordinal));
        await RunAsync("LOCK TABLE meta IN ACCESS EXCLUSIVE MODE");
        await using var read = new NpgsqlCommand(ReadVersion, connection, transaction);
        var had = Convert.ToInt32(await read.ExecuteScalarAsync(cancel) ?? 0);
        RefuseNewer(had, connection.Database);
        foreach (var (_, _, sql) in All.Where(m => m.Number > had)) await RunAsync(ForPostgres(sql));
        await RunAsync($"INSERT INTO meta (name, number) VALUES ('schema_version', {Newest}) ON CONFLICT (name) DO UPDATE SET number = {Newest}");
        await transaction.CommitAsync(cancel);
        return had;

        async Task RunAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            await command.ExecuteNonQueryAsync(cancel);
        }
    }

    private static void RefuseNewer(int had, string where)
    {
        if (had > Newest) throw new SchemaTooNewException(where, had, Newest);
    }

    private static string ForSqlite(string sql) => sql.Replace("{bytes}", "blob", StringComparison.Ordinal).Replace("{rowless}", "WITHOUT ROWID", StringComparison.Ordinal);

    private static string ForPostgres(string sql) => sql.Replace("{bytes}", "bytea", StringComparison.Ordinal).Replace("{rowless}", "", StringComparison.Ordinal);

    private static List<(int, string, string)> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                return (int.Parse(name.AsSpan(0, 4)), name, reader.ReadToEnd());
            })];
    }
}

/// <summary>The database was written by a newer Postern than this one.</summary>
internal sealed class SchemaTooNewException(string where, int has, int knows)
    : Exception($"The database {where} has schema {has}; this binary knows {knows}. Start the newer Postern, or restore a backup made before the upgrade.");
