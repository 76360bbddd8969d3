using Postern.Access;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The command <c>postern restore</c>: puts a backup in place. What had ended in the replaced database stays ended.
/// Where that cannot be known, it says so, and prints the commands that end it. A PostgreSQL database is restored by
/// its own tools; this command then gives it new numbers.
/// </summary>
internal static class RestoreCommand
{
    public static async Task RunAsync(string? file, ServeOptions serve, bool overwrite, CancellationToken cancel)
    {
        if (serve.Database is null)
        {
            PutBack(
                file ?? throw new SetupException("Name the file to restore: postern restore FILE"),
                serve.Folder,
                overwrite
            );
            return;
        }
        if (file is not null)
        {
            throw new SetupException(
                "A PostgreSQL database is put back with its own tools (pg_restore, or a base backup with its log). "
                    + "Do that, and then give this command without a file."
            );
        }
        await Migrations.GoOnAfterRestoreAsync(serve.Database, cancel, text => Terminal.WriteLine($"{text}"));
        await using var database = await serve.OpenDatabaseAsync(TimeProvider.System, cancel);
        Warn(await RootKeysInAsync(database), "");
    }

    private static void PutBack(string file, DataFolder folder, bool overwrite)
    {
        folder.Prepare();
        using var held = folder.Lock();
        var restored = SqliteBackup.PutBack(file, folder.Database, overwrite, EndedAuthority.Tables);
        Terminal.WriteLine($"restored {folder.Database} (schema {restored.Version})");
        if (restored.Carried is { } carried)
            TellCarried(carried);
        else
            Warn(SqliteBackup.RootKeysIn(folder.Database), $" --data {folder.Path}");
        if (!File.Exists(folder.MasterKey))
            Terminal.WriteLine($"Put its master.key into {folder.Path} before you start.");
        Terminal.WriteLine($"Start with: postern serve --data {folder.Path}");
    }

    private static void TellCarried(IReadOnlyList<(CarriedTable Table, int Rows)> carried)
    {
        Terminal.WriteLine($"What had ended in the database that was replaced stays ended; taken over from it:");
        foreach (var (table, rows) in carried)
            Terminal.WriteLine($"  {rows, 6} {table.Description}");
    }

    private static async Task<IReadOnlyList<(string Project, string Key)>> RootKeysInAsync(Database database) =>
        await database.ReadAsync(tx => tx.ListAsync(SqliteBackup.RootKeys, r => (r.GetString(0), r.GetString(1))));

    /// <param name="keys">The root key's id of each project.</param>
    /// <param name="where">The option that leads a command to the database.</param>
    private static void Warn(IReadOnlyList<(string Project, string Key)> keys, string where)
    {
        Terminal.WriteLine(
            $"""
            WARNING: what ended after the backup was made is valid again, since no database was replaced from which that
            could be read: revoked keys, callback secrets and tokens, the earlier secrets of rotated keys, used one-time
            tokens. Before you start:
              postern keys list{where}                             # is each of them still to be let in?
              postern keys revoke KEY_ID{where}                    # if not
            """
        );
        foreach (var (project, key) in keys)
        {
            var command = $"postern keys rotate {key} --overlap 0s --project {project}{where}";
            Terminal.WriteLine($"  {command}   # ends every token of {project}");
        }
    }
}
