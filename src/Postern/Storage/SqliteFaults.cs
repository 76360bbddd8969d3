using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>Tells what a fault of SQLite means to whoever asked.</summary>
internal static class SqliteFaults
{
    /// <summary>
    /// Tells what may pass from what will not: busy, locked, read-only, an I/O error, a full disk, and a file that
    /// cannot be opened may pass.
    /// </summary>
    public static Exception Translate(SqliteException fault) =>
        fault.SqliteErrorCode is 5 or 6 or 8 or 10 or 13 or 14
            ? new StorageUnavailableException("The database file cannot be used now.", fault)
            : fault;

    /// <summary>
    /// A commit that the disk failed under may be in the log as a whole, and is then there after the next opening.
    /// </summary>
    public static Exception TranslateOfCommit(SqliteException fault) =>
        fault.SqliteErrorCode == 10
            ? new StorageOutcomeUnknownException("The disk failed under a commit.", fault)
            : Translate(fault);
}
