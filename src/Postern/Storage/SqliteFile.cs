using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Postern.Storage;

/// <summary>
/// The database file and its log, as the writer has them open. When one of them is moved away or deleted, SQLite goes
/// on writing to what nobody can open again: everything would be lost with the process. So a write counts only while
/// both are in their place. A file that is put back is used again.
/// </summary>
/// <param name="path">The database file.</param>
/// <param name="open">The writer's connection, which is open as long as this is used.</param>
internal sealed class SqliteFile(string path, SqliteConnection open)
{
    /// <summary>SQLITE_FCNTL_HAS_MOVED of sqlite3.h.</summary>
    private const int HasMoved = 20;

    private readonly string _path = Path.GetFullPath(path);
    private readonly string _log = Path.GetFullPath(path) + "-wal";

    /// <summary>What is wrong, for the log and for whoever runs the server.</summary>
    public string Missing =>
        $"The file {_path} or its log {_log} was moved or deleted while it was open: nothing can be stored until "
        + "it is put back";

    /// <summary>
    /// Whether a file was missing at the last look. Then nothing is written before both are in their place again.
    /// </summary>
    public bool WasGone { get; private set; }

    /// <summary>
    /// Returns whether the open file is the one at its path, and its log is there. It costs two calls of the system.
    /// </summary>
    public bool IsInPlace()
    {
        // A system on which SQLite cannot tell answers with an error, and leaves the number as it is.
        var moved = 0;
        _ = FileControl(open.Handle!, null, HasMoved, ref moved);
        WasGone = moved != 0 || !File.Exists(_log);
        return !WasGone;
    }

    [DllImport("e_sqlite3", EntryPoint = "sqlite3_file_control")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int FileControl(sqlite3 database, byte[]? name, int what, ref int answer);
}
