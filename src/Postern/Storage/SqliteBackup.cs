using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// Copies a SQLite database while a server writes to it (SQLite's online backup), and restores the copy. A backup
/// contains only hashed and sealed secrets. Opening the sealed ones needs the master key, which is not part of it.
/// </summary>
internal static class SqliteBackup
{
    /// <summary>
    /// Writes a consistent copy of <paramref name="database"/> to <paramref name="target"/>, mode 0600. The file
    /// appears as a whole or not at all.
    /// </summary>
    public static void Take(string database, string target)
    {
        if (File.Exists(target))
            throw new IOException($"{target} exists already; a backup never overwrites. Name a new file.");
        var partial = target + ".partial";
        File.Delete(partial);
        using (
            File.Open(
                partial,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                }
            )
        ) { }
        using (var source = Open(database, SqliteOpenMode.ReadOnly))
        using (var copy = Open(partial, SqliteOpenMode.ReadWrite))
        {
            source.BackupDatabase(copy);
            // A backup is one file, without a WAL beside it that could be forgotten.
            using var command = copy.CreateCommand();
            command.CommandText = "PRAGMA journal_mode=DELETE";
            command.ExecuteNonQuery();
        }
        using (var flushed = File.Open(partial, FileMode.Open, FileAccess.ReadWrite))
            flushed.Flush(flushToDisk: true);
        File.Move(partial, target);
    }

    /// <summary>
    /// Checks a backup and puts it in place of <paramref name="database"/>. What has ended in the replaced database
    /// also ends in the restored one, before anybody can open it, and no number is given a second time
    /// (<see cref="RestoredNumbers"/>).
    /// </summary>
    /// <exception cref="InvalidDataException">
    /// The file is no Postern database or is damaged: nothing was changed.</exception>
    /// <exception cref="SchemaTooNewException"/>
    public static Restored PutBack(string backup, string database, bool overwrite, IReadOnlyList<CarriedTable> carries)
    {
        if (!File.Exists(backup))
            throw new FileNotFoundException($"There is no file {backup}.");
        if (File.Exists(database) && !overwrite)
            throw new IOException(
                $"{database} exists already. Give --force to replace it; the old file is kept beside it as "
                    + $"{Path.GetFileName(database)}.before-restore."
            );
        var version = Check(backup);
        if (version > Migrations.Newest)
            throw new SchemaTooNewException(backup, version, Migrations.Newest);
        var partial = database + ".partial";
        File.Copy(backup, partial, overwrite: true);
        File.SetUnixFileMode(partial, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (var flushed = File.Open(partial, FileMode.Open, FileAccess.ReadWrite))
            flushed.Flush(flushToDisk: true);
        var carried = File.Exists(database) && TryFoldIn(database) ? SqliteCarry.Run(database, partial, carries) : null;
        GoOnWithNewNumbers(partial);
        KeepOld(database);
        File.Move(partial, database);
        return new Restored(version, carried);
    }

    /// <summary>Returns the name of each project and the id of its root key.</summary>
    public const string RootKeys = """
        SELECT project.name, api_key.id FROM api_key JOIN project ON project.id = api_key.project
        WHERE api_key.kind = 'root' ORDER BY project.created_at, project.id LIMIT 100
        """;

    /// <summary>Returns the id of each project's root key, by the project's name.</summary>
    public static IReadOnlyList<(string Project, string Key)> RootKeysIn(string database)
    {
        using var connection = Open(database, SqliteOpenMode.ReadOnly);
        using var command = connection.CreateCommand();
        command.CommandText = RootKeys;
        using var reader = command.ExecuteReader();
        var keys = new List<(string, string)>();
        while (reader.Read())
            keys.Add((reader.GetString(0), reader.GetString(1)));
        return keys;
    }

    /// <summary>Returns the schema version of a valid Postern database.</summary>
    public static int Check(string file)
    {
        try
        {
            using var connection = Open(file, SqliteOpenMode.ReadOnly);
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA quick_check(1)";
            if (command.ExecuteScalar() is not "ok")
                throw new InvalidDataException($"{file} is damaged: SQLite's quick_check refuses it.");
            command.CommandText = "SELECT number FROM meta WHERE name = 'schema_version'";
            return Convert.ToInt32(
                command.ExecuteScalar() ?? throw new InvalidDataException($"{file} has no schema version.")
            );
        }
        catch (SqliteException fault)
        {
            throw new InvalidDataException($"{file} is no Postern database ({fault.Message}).", fault);
        }
    }

    /// <summary>
    /// The old WAL belongs to the old file, so it is merged into the file before that is read and moved away.
    /// </summary>
    private static bool TryFoldIn(string database)
    {
        try
        {
            using var old = Open(database, SqliteOpenMode.ReadWrite);
            using var command = old.CreateCommand();
            command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
            command.ExecuteNonQuery();
            return true;
        }
        catch (SqliteException)
        {
            // The old file is too damaged to be opened. That may be why a backup is restored.
            return false;
        }
    }

    private static void GoOnWithNewNumbers(string database)
    {
        using var connection = Open(database, SqliteOpenMode.ReadWrite);
        using var transaction = connection.BeginTransaction();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";
        foreach (var sql in RestoredNumbers.GoOnFrom(Convert.ToInt64(command.ExecuteScalar())))
        {
            command.CommandText = Migrations.ForSqlite(sql);
            command.ExecuteNonQuery();
        }
        transaction.Commit();
    }

    private static void KeepOld(string database)
    {
        foreach (var suffix in (string[])["", "-wal", "-shm"])
            if (File.Exists(database + suffix))
                File.Move(database + suffix, database + ".before-restore" + suffix, overwrite: true);
    }

    private static SqliteConnection Open(string file, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder
            {
                DataSource = file,
                Mode = mode,
                Pooling = false,
            }.ToString()
        );
        connection.Open();
        return connection;
    }
}
