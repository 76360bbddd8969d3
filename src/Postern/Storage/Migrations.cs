using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// The numbered schema changes, embedded in the binary. Those that are missing are applied at the start: on SQLite
/// all in
/// one transaction, on PostgreSQL each in its own. A database that is newer than the binary is refused, at the start
/// and
/// while it runs (<c>AccessWatch</c>), so that an old binary never writes what it does not understand.
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

    /// <summary>
    /// Brings a PostgreSQL database to <see cref="Newest"/>; answers the version it had. Each change is a transaction
    /// that begins with the row of the version: of nodes that start at once one makes it and the others wait for it,
    /// while those who only read the version wait for nobody. A change takes as long as it takes.
    /// </summary>
    /// <param name="connectionString">Whose owner may change the schema.</param>
    /// <param name="cancel">Ends it between two changes, or rolls one back.</param>
    /// <param name="says">Told once that an existing database is changed, which may take its time.</param>
    /// <exception cref="SchemaTooNewException"/>
    /// <exception cref="MigrationFailedException"/>
    public static async Task<int> ApplyToPostgresAsync(
        string connectionString, CancellationToken cancel, Action<string>? says = null)
    {
        var settings = PostgresConnection.SettingsOf(connectionString);
        settings.CommandTimeout = 0;
        await using var source = PostgresConnection.Open(settings);
        var had = await PostgresVersionAsync(source, cancel);
        RefuseNewer(had, settings.Database ?? "postern");
        if (had > 0 && had < Newest)
            says?.Invoke($"The database goes from schema {had} to {Newest}. A large one may need minutes.");
        foreach (var (number, name, sql) in All.Where(m => m.Number > had))
        {
            try
            {
                await ApplyOneAsync(source, number, ForPostgres(sql), cancel);
            }
            catch (NpgsqlException fault)
            {
                var why = (fault.InnerException ?? fault).Message;
                throw new MigrationFailedException(
                    $"The change {name} of the database's schema failed: {why} Nothing of it is there, and the changes "
                    + "before it are kept. Put it right and start again.", fault);
            }
        }
        return had;
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

    /// <summary>The version of a PostgreSQL database, which is made ready to have one; 0 when it is empty.</summary>
    private static async Task<int> PostgresVersionAsync(NpgsqlDataSource source, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        try
        {
            return await ReadAsync();
        }
        catch (PostgresException fault) when (fault.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            await CreateAsync();
            return await ReadAsync();
        }

        async Task<int> ReadAsync()
        {
            await using var read = new NpgsqlCommand(ReadVersion, connection);
            return Convert.ToInt32(await read.ExecuteScalarAsync(cancel) ?? 0);
        }

        async Task CreateAsync()
        {
            var sql = CreateMeta.Replace("{bytes}", "bytea", StringComparison.Ordinal);
            try
            {
                await using var create = new NpgsqlCommand(sql, connection);
                await create.ExecuteNonQueryAsync(cancel);
            }
            catch (PostgresException fault)
                when (fault.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable)
            {
                // Another node created it in the same moment.
            }
        }
    }

    private static async Task ApplyOneAsync(NpgsqlDataSource source, int number, string sql, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await RunAsync("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
        await RunAsync("INSERT INTO meta (name, number) VALUES ('schema_version', 0) ON CONFLICT (name) DO NOTHING");
        // Waits for a node that makes the same change, and then has nothing to do.
        var isMine = await RunAsync(
            $"UPDATE meta SET number = {number} WHERE name = 'schema_version' AND number < {number}") == 1;
        if (!isMine) return;
        await RunAsync(sql);
        await transaction.CommitAsync(cancel);

        async Task<int> RunAsync(string text)
        {
            await using var command = new NpgsqlCommand(text, connection, transaction);
            return await command.ExecuteNonQueryAsync(cancel);
        }
    }

    private static void RefuseNewer(int had, string where)
    {
        if (had > Newest) throw new SchemaTooNewException(where, had, Newest);
    }

    private static string ForSqlite(string sql) => WithSequences(sql, "")
        .Replace("{bytes}", "blob", StringComparison.Ordinal)
        .Replace("{rowless}", "WITHOUT ROWID", StringComparison.Ordinal);

    private static string ForPostgres(string sql) => WithSequences(sql, "CREATE SEQUENCE ${name};")
        .Replace("{bytes}", "bytea", StringComparison.Ordinal)
        .Replace("{rowless}", "", StringComparison.Ordinal);

    private static string WithSequences(string sql, string create) =>
        Regex.Replace(
            sql, @"\{sequence (?<name>\w+)\}", create, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

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

/// <summary>A change of the schema failed; the message says which, and what to do.</summary>
internal sealed class MigrationFailedException(string message, Exception inner) : Exception(message, inner);
