using System.Diagnostics.CodeAnalysis;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// A run whose row is locked by a transaction, with its session's row locked before it: the order for everybody. Only
/// <see cref="LockAhead"/> makes one, and <see cref="RunMachine"/> and <see cref="RunRow"/> change no other run. So a
/// run can only move while both rows are locked. A copy (<c>with</c>) is locked like its original.
/// </summary>
internal sealed record HeldRun : Run
{
    private readonly Tx _tx;

    [SetsRequiredMembers]
    private HeldRun(Tx tx, Run row)
        : base(row) => _tx = tx;

    /// <summary>
    /// Locks a run, and its session before it, until the transaction ends. Returns null when there is no such run.
    /// </summary>
    public static async ValueTask<HeldRun?> LockAsync(Tx tx, string project, string id) =>
        await LockAhead(tx, project, id);

    /// <summary>The same, asked ahead: later questions see the state under the locks.</summary>
    public static Ahead<HeldRun?> LockAhead(Tx tx, string project, string id)
    {
        if (!tx.IsAlone)
            RowLock.HoldSessionOfRun(tx, project, id);
        return tx.FirstAhead(
            tx.IsAlone ? RunRow.Find : RunRow.FindForUpdate,
            r => new HeldRun(tx, Row<Run>.Read(r)),
            project,
            id
        );
    }

    /// <summary>Checks that this transaction holds the run.</summary>
    /// <exception cref="InvalidOperationException">Another one does, or did.</exception>
    public void EnsureHeldBy(Tx tx)
    {
        if (!ReferenceEquals(tx, _tx))
            throw new InvalidOperationException($"{Id} is not held by the transaction that changes it.");
    }
}
