using Postern.Access;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// <c>postern restore</c>: puts a backup in place, keeps ended what had ended in the database that it replaces, and where that
/// cannot be known says so, with the commands that end it.
/// </summary>
internal static class RestoreCommand
{
    public static void Run(string file, DataFolder folder, bool overwrite)
    {
        folder.Prepare();
        using var held = folder.Lock();
        var restored = SqliteBackup.PutBack(file, folder.Database, overwrite, EndedAuthority.Tables);
        Console.WriteLine($"restored {folder.Database} (schema {restored.Version})");
        if (restored.Carried is { } carried) TellCarried(carried);
        else Warn(folder);
        if (!File.Exists(folder.MasterKey)) Console.WriteLine($"Put its master.key into {folder.Path} before you start.");
        Console.WriteLine($"Start with: postern serve --data {folder.Path}");
    }

    private static void TellCarried(IReadOnlyList<(CarriedTable Table, int Rows)> carried)
    {
        Console.WriteLine("What had ended in the database that was replaced stays ended; taken over from it:");
        foreach (var (table, rows) in carried) Console.WriteLine($"  {rows,6} {table.Words}");
    }

    private static void Warn(DataFolder folder)
    {
        Console.WriteLine($"""
            WARNING: what ended after the backup was made is valid again, since no database was replaced from which that could be read:
            revoked keys, callback secrets and tokens, the earlier secrets of rotated keys, used one-time tokens. Before you start:
              postern keys list --data {folder.Path}                             # is each of them still to be let in?
              postern keys revoke KEY_ID --data {folder.Path}                    # if not
            """);
        foreach (var (project, key) in SqliteBackup.RootKeysIn(folder.Database))
        {
            var command = $"postern keys rotate {key} --overlap 0s --project {project} --data {folder.Path}";
            Console.WriteLine($"  {command}   # ends every token of {project}");
        }
    }
}
