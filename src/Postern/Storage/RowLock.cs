namespace Postern.Storage;

/// <summary>
/// The lock of a row without its columns, for a transaction that needs nothing of the row but its place in the order of
/// locks (<see cref="LockOrder"/>), and may not know the feature that owns it.
/// </summary>
internal static class RowLock
{
    /// <summary>Holds a session's row until the transaction ends. A session that is gone is no fault.</summary>
    public static async ValueTask HoldSessionAsync(Tx tx, string project, string session)
    {
        if (!tx.IsAlone)
            await tx.FirstAsync(
                $"SELECT 1 FROM session WHERE project = $1 AND id = $2{tx.ForUpdate}",
                _ => 1,
                project,
                session
            );
    }

    /// <summary>
    /// Holds the row of a run's session, with the next statement that is awaited. A run without one is no fault.
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
