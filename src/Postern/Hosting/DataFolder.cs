namespace Postern.Hosting;

/// <summary>
/// The folder for a server's files: mode 0700, its files 0600. A lock file, held open while the process lives, keeps a
/// second server out. The system releases it whenever the process ends, even after a crash.
/// </summary>
internal sealed class DataFolder(string path)
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Others =
        UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite
        | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead
        | UnixFileMode.OtherWrite
        | UnixFileMode.OtherExecute;

    public string Path { get; } = System.IO.Path.GetFullPath(path);

    public string Database => System.IO.Path.Combine(Path, "postern.db");

    public string MasterKey => System.IO.Path.Combine(Path, "master.key");

    public string Settings => System.IO.Path.Combine(Path, "postern.json");

    private string LockFile => System.IO.Path.Combine(Path, "postern.lock");

    /// <summary>
    /// Creates the folder when it is missing, and removes other users' rights to it. It never changes a folder that
    /// belongs to another user, or that contains something else.
    /// </summary>
    /// <exception cref="SetupException">The folder is open to other users, and is not this server's alone.</exception>
    public void Prepare()
    {
        if (!Directory.Exists(Path))
            Make();
        else if ((File.GetUnixFileMode(Path) & Others) != 0)
            Close();
        foreach (var file in (string[])[Database, Database + "-wal", Database + "-shm", MasterKey])
            if (File.Exists(file) && (File.GetUnixFileMode(file) & Others) != 0)
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private void Make()
    {
        if (File.Exists(Path))
            throw new SetupException($"{Path} is a file: name a folder with --data.");
        try
        {
            Directory.CreateDirectory(Path, Owner);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new SetupException(
                $"The folder {Path} cannot be made: {fault.Message} Make it and give it to the user that runs postern, "
                    + "or name another with --data."
            );
        }
    }

    /// <summary>
    /// Checks that this user may read and write each of its files, before any is used. A later failure would not name
    /// the file.
    /// </summary>
    /// <exception cref="SetupException">
    /// One of them is a folder, is not open to this user, or is missing beside what belongs to it.
    /// </exception>
    public void CheckFiles()
    {
        if (LostDatabase() is { } lost)
            throw new SetupException(lost);
        foreach (
            var (file, access) in ((string, FileAccess)[])
                [(Database, FileAccess.ReadWrite), (MasterKey, FileAccess.Read), (Settings, FileAccess.Read)]
        )
        {
            if (Directory.Exists(file))
                throw new SetupException($"{file} is a folder, where a file belongs.");
            if (!File.Exists(file))
                continue;
            try
            {
                File.Open(file, FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete).Dispose();
            }
            catch (Exception fault) when (fault is UnauthorizedAccessException or IOException)
            {
                var verb = access == FileAccess.Read ? "read" : "read and written";
                throw new SetupException(
                    $"{file} cannot be {verb} by this user: {fault.Message} Give it to the user that runs postern "
                        + $"(chown, chmod u+rw)."
                );
            }
        }
    }

    /// <summary>
    /// Returns what to do when the database is gone and its log is still there, or null. A start would make an empty
    /// database, and delete the log with what was stored last.
    /// </summary>
    public string? LostDatabase() =>
        File.Exists(Database + "-wal") && !File.Exists(Database)
            ? $"{Database} is gone, but its log {Database}-wal is there: put the file back, or restore the last backup "
                + "(postern restore FILE). To begin with an empty database, move the log away."
            : null;

    private void Close()
    {
        var names = Directory.EnumerateFileSystemEntries(Path).Select(entry => System.IO.Path.GetFileName(entry));
        var other = names.FirstOrDefault(name => !IsOurs(name));
        if (other is not null)
        {
            throw new SetupException(
                $"{Path} is open to other users and holds {other}, which is not postern's: it is left as it is. "
                    + $"Give postern a folder of its own, such as --data {System.IO.Path.Combine(Path, "postern")}"
            );
        }
        if (!FileOwner.IsMe(Path))
        {
            throw new SetupException(
                $"{Path} is open to other users and belongs to one of them: it is left as it is. "
                    + $"Make it yours (chown), close it (chmod go-rwx {Path}), or give postern another with --data."
            );
        }
        File.SetUnixFileMode(Path, Owner);
    }

    private static bool IsOurs(string name) =>
        name is "master.key" or "postern.json" or "postern.lock" or "lost+found"
        || name.StartsWith("postern.db", StringComparison.Ordinal);

    /// <summary>Returns the files of the folder that other users can access; the doctor reports them.</summary>
    public IReadOnlyList<string> OpenToOthers() =>
        [
            .. new[] { Path, Database, MasterKey }.Where(f =>
                (File.Exists(f) || Directory.Exists(f)) && (File.GetUnixFileMode(f) & Others) != 0
            ),
        ];

    /// <summary>Takes the lock, until it is disposed.</summary>
    /// <exception cref="SetupException">Another server has the folder.</exception>
    public IDisposable Lock()
    {
        try
        {
            return File.Open(
                LockFile,
                new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate,
                    Access = FileAccess.ReadWrite,
                    Share = FileShare.None,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                }
            );
        }
        catch (IOException)
        {
            throw new SetupException(
                $"Another postern serves {Path}. Stop it first, or give this one a folder of its own with --data."
            );
        }
    }

    public bool IsLocked()
    {
        if (!File.Exists(LockFile))
            return false;
        try
        {
            Lock().Dispose();
            return false;
        }
        catch (SetupException)
        {
            return true;
        }
    }
}
