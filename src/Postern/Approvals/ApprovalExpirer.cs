using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Decides what nobody has decided in time, within about a second of its time, also after a restart. It finds by an index and decides under the run's lock like everybody else,
/// so any number of nodes may look at once and one does it. However many are due at once, a look goes on until none is left.
/// </summary>
internal sealed class ApprovalExpirer(Database database, ApprovalStore approvals, ApprovalDecisions decisions, TimeProvider clock, ILogger<ApprovalExpirer> log) : PeriodicLook(clock, log)
{
    private const int Batch = 200;

    protected override async Task LookAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var due = await approvals.OverdueAsync(Batch);
            // At once: their commits are gathered.
            var settled = await Task.WhenAll(due.Select(ExpireAsync));
            // What could not be settled is tried by the next look, and keeps no other waiting in this one.
            if (due.Count < Batch || settled.All(done => !done)) return;
        }
    }

    private async Task<bool> ExpireAsync(Approval due)
    {
        var done = false;
        await OneAsync(due.Run, async () => done = await database.WriteAsync(tx => decisions.DecideAsync(tx, due.Project, due.Id, new Decided(Decision.Expired, "server", "server"))) is not DecideOutcome.Unknown);
        return done;
    }
}
