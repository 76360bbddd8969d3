namespace Postern.Storage;

/// <summary>
/// Locks rows without reading their columns, for a transaction that only needs the lock's place in the order
/// (<see cref="LockOrder"/>) and may not use the feature that owns the row.
/// </summary>
internal static class RowLock
{
    /// <summary>
    /// Locks the row of a run's session, with the next statement that is awaited. Does nothing for a run without a
    /// session.
    /// </summary>
    public static void HoldSessionOfRun(Tx tx, string project, string run) =>
        _ = tx.FirstAhead(
            $"""
            SELECT 1
            FROM session, run
            WHERE run.project = $1 AND run.id = $2 AND session.project = $1 AND session.id = run.session
            {tx.ForUpdate} OF session
            """,
            _ => 1,
            project,
            run
        );
}
