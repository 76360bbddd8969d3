using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// The numbered schema changes, embedded in the binary. The missing ones are applied at the start: on SQLite all in one
/// transaction, on PostgreSQL step by step (<see cref="PostgresUpgrade"/>). A database that is newer than the binary is
/// refused, at the start and while it runs (<c>AccessWatch</c>), so that an old binary never writes to a schema that it
/// does not know.
/// </summary>
internal static partial class Migrations
{
    public const string ReadVersion = "SELECT number FROM meta WHERE name = 'schema_version'";

    /// <summary>The numbers and texts, in order. Braces in a text name what the databases spell differently.</summary>
    public static IReadOnlyList<(int Number, string Name, string Sql)> All { get; } = Load();

    public static int Newest => All[^1].Number;

    /// <summary>
    /// Brings a SQLite file (created if it is missing, mode 0600) to <see cref="Newest"/>. Returns the version it had.
    /// </summary>
    /// <exception cref="SchemaTooNewException"/>
    public static int ApplyToSqlite(string file)
    {
        if (!File.Exists(file))
            using (
                File.Open(
                    file,
                    new FileStreamOptions
                    {
                        Mode = FileMode.CreateNew,
                        Access = FileAccess.Write,
                        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                    }
                )
            ) { }
        using var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ToString()
        );
        connection.Open();
        Run("PRAGMA journal_mode=WAL");
        Run("PRAGMA synchronous=FULL");
        // Immediate, so that two processes that start together run one after the other.
        Run("BEGIN IMMEDIATE");
        Run(CreateMetaFor("blob"));
        var had = Convert.ToInt32(Scalar(ReadVersion) ?? 0);
        RefuseNewer(had, file);
        foreach (var (_, _, sql) in All.Where(m => m.Number > had))
            Run(ForSqlite(sql));
        if (had < Newest)
            Run(
                $"""
                INSERT INTO meta (name, number)
                VALUES ('schema_version', {Newest})
                ON CONFLICT (name) DO UPDATE
                SET number = {Newest}
                """
            );
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
    /// Brings a PostgreSQL database to <see cref="Newest"/> (<see cref="PostgresUpgrade"/>). Returns the version it
    /// had. A change has no time limit.
    /// </summary>
    /// <param name="connectionString">Whose owner may change the schema.</param>
    /// <param name="cancel">Ends it between two changes, or rolls one back.</param>
    /// <param name="says">Told once that an existing database is changed, which may take its time.</param>
    /// <exception cref="SchemaTooNewException"/>
    /// <exception cref="MigrationFailedException"/>
    public static async Task<int> ApplyToPostgresAsync(
        string connectionString,
        CancellationToken cancel,
        Action<string>? says = null
    )
    {
        var settings = PostgresConnection.SettingsOf(connectionString);
        settings.CommandTimeout = 0;
        await using var source = PostgresConnection.Open(settings);
        return await new PostgresUpgrade(source, says, cancel).RunAsync(settings.Database ?? "postern");
    }

    /// <summary>Records that a PostgreSQL database was restored from a backup.</summary>
    /// <exception cref="SchemaTooNewException"/>
    public static async Task GoOnAfterRestoreAsync(
        string connectionString,
        CancellationToken cancel,
        Action<string> says
    )
    {
        var settings = PostgresConnection.SettingsOf(connectionString);
        settings.CommandTimeout = 0;
        await using var source = PostgresConnection.Open(settings);
        var upgrade = new PostgresUpgrade(source, says, cancel);
        await upgrade.RunAsync(settings.Database ?? "postern");
        await upgrade.GoOnWithNewNumbersAsync();
    }

    /// <summary>Returns the version of a SQLite file that may be in use. Nothing is changed.</summary>
    public static int VersionOfSqlite(string file)
    {
        using var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder
            {
                DataSource = file,
                Mode = SqliteOpenMode.ReadWrite,
                Pooling = false,
            }.ToString()
        );
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = ReadVersion;
        return Convert.ToInt32(command.ExecuteScalar() ?? 0);
    }

    /// <summary>
    /// Returns whether secrets in a SQLite file are sealed already. Then the master key must exist, and none is made.
    /// </summary>
    public static bool IsSealedSqlite(string file)
    {
        if (!File.Exists(file))
            return false;
        using var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder
            {
                DataSource = file,
                Mode = SqliteOpenMode.ReadWrite,
                Pooling = false,
            }.ToString()
        );
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'";
        if (command.ExecuteScalar() is not 1L)
            return false;
        command.CommandText = "SELECT COUNT(*) FROM meta WHERE name = 'master_key'";
        return command.ExecuteScalar() is 1L;
    }

    /// <summary>The version of an opened database; 0 when it has none.</summary>
    public static ValueTask<int> VersionAsync(Database database) =>
        database.ReadAsync(async tx => await tx.FirstAsync(ReadVersion, r => (int)r.GetInt64(0)));

    public static void RefuseNewer(int had, string where)
    {
        if (had > Newest)
            throw new SchemaTooNewException(where, had, Newest);
    }

    public static string CreateMetaFor(string bytes) =>
        $"CREATE TABLE IF NOT EXISTS meta (name text NOT NULL PRIMARY KEY, number bigint NOT NULL, bytes {bytes})";

    /// <summary>A migration as SQLite reads it.</summary>
    public static string ForSqlite(string sql) =>
        RowsOf()
            .Replace(OnlyPostgres().Replace(sql, ""), "true")
            .Replace("{bytes}", "blob", StringComparison.Ordinal)
            .Replace("{rowless}", "WITHOUT ROWID", StringComparison.Ordinal);

    /// <summary>
    /// The statements of a migration as PostgreSQL reads them. Each ends with a semicolon and its line.
    /// </summary>
    public static IReadOnlyList<PostgresStep> StepsForPostgres(string sql)
    {
        var text = Comment()
            .Replace(sql, "")
            .Replace("{postgres} ", "", StringComparison.Ordinal)
            .Replace("{bytes}", "bytea", StringComparison.Ordinal)
            .Replace("{rowless}", "", StringComparison.Ordinal);
        return
        [
            .. text.Split(";\n", StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(s => PostgresStep.Of(s.TrimEnd(';'))),
        ];
    }

    [GeneratedRegex(@"^\{postgres\} .*$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex OnlyPostgres();

    [GeneratedRegex(@"\{rows of \w+\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RowsOf();

    [GeneratedRegex("^--.*$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Comment();

    private static List<(int, string, string)> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return
        [
            .. assembly
                .GetManifestResourceNames()
                .Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(name =>
                {
                    using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                    return (int.Parse(name.AsSpan(0, 4)), name, reader.ReadToEnd());
                }),
        ];
    }
}
