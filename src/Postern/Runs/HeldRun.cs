using System.Diagnostics.CodeAnalysis;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// A run whose row a transaction holds, and its session's row before it: the order that everybody keeps. Nothing but
/// <see cref="LockAhead"/> makes one, and <see cref="RunMachine"/> and <see cref="RunRow"/> change no other run; so a
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
    public static async ValueTask<HeldRun?> LockAsync(Tx tx, string project, string id) =>
        await LockAhead(tx, project, id);

    /// <summary>The same ahead: what is asked behind it is seen as it is under the locks.</summary>
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

    /// <summary>Checks that it is this transaction that holds the run.</summary>
    /// <exception cref="InvalidOperationException">Another one does, or did.</exception>
    public void EnsureHeldBy(Tx tx)
    {
        if (!ReferenceEquals(tx, _tx))
            throw new InvalidOperationException($"{Id} is not held by the transaction that changes it.");
    }
}
