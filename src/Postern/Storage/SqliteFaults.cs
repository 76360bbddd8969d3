using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <summary>Translates faults of SQLite for the caller.</summary>
internal static class SqliteFaults
{
    /// <summary>
    /// Returns whether a fault may pass: busy, locked, read-only, an I/O error, a full disk, and a file that cannot be
    /// opened.
    /// </summary>
    public static Exception Translate(SqliteException fault) =>
        fault.SqliteErrorCode is 5 or 6 or 8 or 10 or 13 or 14
            ? new StorageUnavailableException("The database file cannot be used now.", fault)
            : fault;

    /// <summary>
    /// When the disk fails during a commit, the whole commit may be in the log, and then exists after the next opening.
    /// </summary>
    public static Exception TranslateOfCommit(SqliteException fault) =>
        fault.SqliteErrorCode == 10
            ? new StorageOutcomeUnknownException("The disk failed under a commit.", fault)
            : Translate(fault);
}
