using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>
/// Copies of a SQLite database, taken while a server writes to it (SQLite's online backup), and put back.
/// A backup holds hashed and sealed secrets only; opening the sealed ones takes the master key, which is kept apart from it.
/// </summary>
internal static class SqliteBackup
{
    /// <summary>Writes a consistent copy of <paramref name="database"/> to <paramref name="target"/>, mode 0600; the file appears whole or not at all.</summary>
    public static void Take(string database, string target)
    {
        if (File.Exists(target)) throw new IOException($"{target} exists already; a backup never overwrites. Name a new file.");
        var partial = target + ".partial";
        File.Delete(partial);
        using (File.Open(partial, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite })) { }
        using (var source = Open(database, SqliteOpenMode.ReadOnly))
        using (var copy = Open(partial, SqliteOpenMode.ReadWrite))
        {
            source.BackupDatabase(copy);
            // A backup is one file: no WAL beside it that could be left behind.
            using var command = copy.CreateCommand();
            command.CommandText = "PRAGMA journal_mode=DELETE";
            command.ExecuteNonQuery();
        }
        using (var flushed = File.Open(partial, FileMode.Open, FileAccess.ReadWrite)) flushed.Flush(flushToDisk: true);
        File.Move(partial, target);
    }

    /// <summary>Checks a backup and puts it in place of <paramref name="database"/>; answers its schema version.</summary>
    /// <exception cref="InvalidDataException">The file is no Postern database or is damaged: nothing was changed.</exception>
    /// <exception cref="SchemaTooNewException"/>
    public static int PutBack(string backup, string database, bool overwrite)
    {
        if (!File.Exists(backup)) throw new FileNotFoundException($"There is no file {backup}.");
        if (File.Exists(database) && !overwrite)
            throw new IOException($"{database} exists already. Give --force to replace it; the old file is kept beside it as {Path.GetFileName(database)}.before-restore.");
        var version = Check(backup);
        if (version > Migrations.Newest) throw new SchemaTooNewException(backup, version, Migrations.Newest);
        var partial = database + ".partial";
        File.Copy(backup, partial, overwrite: true);
        File.SetUnixFileMode(partial, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (var flushed = File.Open(partial, FileMode.Open, FileAccess.ReadWrite)) flushed.Flush(flushToDisk: true);
        if (File.Exists(database)) KeepOld(database);
        File.Move(partial, database);
        return version;
    }

    /// <summary>The schema version of a sound Postern database.</summary>
    public static int Check(string file)
    {
        try
        {
            using var connection = Open(file, SqliteOpenMode.ReadOnly);
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA quick_check(1)";
            if (command.ExecuteScalar() is not "ok") throw new InvalidDataException($"{file} is damaged: SQLite's quick_check refuses it.");
            command.CommandText = "SELECT number FROM meta WHERE name = 'schema_version'";
            return Convert.ToInt32(command.ExecuteScalar() ?? throw new InvalidDataException($"{file} has no schema version."));
        }
        catch (SqliteException fault)
        {
            throw new InvalidDataException($"{file} is no Postern database ({fault.Message}).", fault);
        }
    }

    private static void KeepOld(string database)
    {
        // What is still in the old WAL belongs to the old file: fold it in before the file is set aside.
        using (var old = Open(database, SqliteOpenMode.ReadWrite))
        {
            using var command = old.CreateCommand();
            command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
            command.ExecuteNonQuery();
        }
        File.Delete(database + "-wal");
        File.Delete(database + "-shm");
        File.Move(database, database + ".before-restore", overwrite: true);
    }

    private static SqliteConnection Open(string file, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = mode, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }
}
