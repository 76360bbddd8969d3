using Npgsql;

namespace Postern.Storage;

/// <summary>What a failure of PostgreSQL, or of the connection to it, means for the command that met it.</summary>
internal static class PostgresFaults
{
    /// <summary>
    /// Returns whether the transaction or the lone statement did not happen, and may happen when it is tried again.
    /// </summary>
    public static bool IsConflict(PostgresException fault) =>
        fault.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected
        || IsOfPreparing(fault);

    /// <summary>
    /// Returns whether the connection does not have a statement that was prepared on it, or has it for a table as it
    /// was before an upgrade.
    /// </summary>
    public static bool IsOfPreparing(PostgresException fault) =>
        fault.SqlState == PostgresErrorCodes.InvalidSqlStatementName
        || fault is { SqlState: PostgresErrorCodes.FeatureNotSupported, Routine: "RevalidateCachedQuery" };

    /// <summary>
    /// Returns whether a time limit was reached: this server's own for a lock or a statement, or one of the operator's.
    /// </summary>
    public static bool IsHeldUp(PostgresException fault) =>
        fault.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled;

    public static StorageBusyException HeldUp(PostgresException fault) =>
        new(
            fault.SqlState == PostgresErrorCodes.LockNotAvailable
                ? "A row that the command needs is held by another."
                : "A statement took too long.",
            fault
        );

    /// <summary>
    /// Returns whether the outcome of a failed commit is unknown, by the server's own words or for lack of any.
    /// </summary>
    public static bool LeavesOpen(Exception fault) =>
        fault switch
        {
            // 40003 and 08007 mean exactly that. A server that shuts down may have committed before it reports the
            // shutdown.
            PostgresException p => p.SqlState
                is PostgresErrorCodes.StatementCompletionUnknown
                    or PostgresErrorCodes.TransactionResolutionUnknown
                    or ['5', '7', 'P', ..],
            NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException => true,
            _ => false,
        };

    /// <summary>Returns whether the database could not be reached, or did not accept what it was asked.</summary>
    public static bool IsUnavailable(Exception fault) =>
        fault switch
        {
            // Class 08 is the connection, 53 resources, 57P a shutdown, 25006 a standby that accepts no writes.
            PostgresException p => p.SqlState
                is PostgresErrorCodes.CannotConnectNow
                    or ['0', '8', ..]
                    or ['5', '3', ..]
                    or ['5', '7', 'P', ..]
                    or "25006",
            NpgsqlException => true,
            TimeoutException or System.Net.Sockets.SocketException => true,
            _ => false,
        };
}
