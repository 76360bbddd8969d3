using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Expires the questions that nobody has decided in time, within about a second, also after a restart. It finds them by
/// an index and decides under the run's lock like everybody else, so any number of nodes may run it and only one acts.
/// A poll goes on until nothing is due.
/// </summary>
internal sealed class ApprovalExpirer(
    Database database,
    ApprovalStore approvals,
    ApprovalDecisions decisions,
    ApprovalsAside aside,
    TimeProvider clock,
    ILogger<ApprovalExpirer> log
) : PollingLoop(clock, log)
{
    protected override Task PollAsync(CancellationToken stop) =>
        AllAsync(approvals.OverdueAsync, due => due.Run, ExpireAsync, stop);

    protected override Task SweepAsync(CancellationToken stop) => aside.SweepAsync(stop);

    private async Task<bool> ExpireAsync(Approval due)
    {
        var expired = new Decided(Decision.Expired, "server", "server");
        return await database.WriteAsync(tx => decisions.DecideAsync(tx, due.Project, due.Id, expired))
            is not DecideOutcome.Unknown;
    }
}
