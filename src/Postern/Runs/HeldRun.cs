using System.Diagnostics.CodeAnalysis;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// A run whose row a transaction holds, and its session's row before it: the order that everybody keeps. Nothing but
/// <see cref="LockAsync"/> makes one, and <see cref="RunMachine"/> and <see cref="RunRow"/> change no other run; so a
/// run cannot move, nor anything follow from it for its session, without both rows being held. A copy
/// (<c>with</c>) is as held as what it was made of.
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
    public static async ValueTask<HeldRun?> LockAsync(Tx tx, string project, string id)
    {
        if (tx.IsAlone)
            return await RunStore.FindAsync(tx, project, id) is { } alone ? new HeldRun(tx, alone) : null;
        if (
            await tx.FirstAsync(
                "SELECT session FROM run WHERE project = $1 AND id = $2",
                r => r.TextOrNull(0),
                project,
                id
            ) is
            { } session
        )
            await RowLock.HoldSessionAsync(tx, project, session);
        return await tx.FirstAsync(RunRow.FindForUpdate, Row<Run>.Read, project, id) is { } run
            ? new HeldRun(tx, run)
            : null;
    }

    /// <summary>Checks that it is this transaction that holds the run.</summary>
    /// <exception cref="InvalidOperationException">Another one does, or did.</exception>
    public void EnsureHeldBy(Tx tx)
    {
        if (!ReferenceEquals(tx, _tx))
            throw new InvalidOperationException($"{Id} is not held by the transaction that changes it.");
    }
}
