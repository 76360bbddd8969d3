using Postern.Approvals;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>Reads what the page of a run shows.</summary>
internal sealed class RunModelReader(
    RunStore runs,
    WhyNotDone whys,
    DeliveryStore deliveries,
    HiddenSubjects hidden,
    ApprovalStore approvals,
    Database database
)
{
    private const int MaxEvents = 500;
    private const int MaxDeliveries = 50;

    /// <summary>Returns the same run as it is now, or null when it is gone.</summary>
    public async ValueTask<RunModel?> AgainAsync(Run run, RunSight sight) =>
        await runs.FindAsync(run.Project, run.Id) is { } now ? await OfAsync(now, sight) : null;

    public async ValueTask<RunModel> OfAsync(Run run, RunSight sight)
    {
        var (data, attempts, log, why) = await database.ReadAsync(async tx =>
            (
                await RunData.AllAsync(tx, run.Project, run.Id),
                await RunEvents.AttemptsAsync(tx, run.Project, run.Id),
                await RunEvents.AfterAsync(tx, run.Project, run.Id, 0, MaxEvents + 1),
                await whys.OfAsync(tx, run)
            )
        );
        return new RunModel
        {
            Run = run,
            Data = data,
            Attempts = attempts,
            Events = [.. log.Take(MaxEvents)],
            HasMoreEvents = log.Count > MaxEvents,
            Deliveries = sight.Deliveries ? await DeliveriesOfAsync(run, sight) : [],
            Why = why,
            Approval = await approvals.LastOfAsync(run.Project, run.Id),
        };
    }

    private async Task<List<(Delivery, List<(long, Attempt)>)>> DeliveriesOfAsync(Run run, RunSight sight)
    {
        var filter = new DeliveryFilter(Subject: run.Id) { Shown = hidden.ShownTo(sight.Admin, "delivery") };
        var found = await deliveries.ListAsync(run.Project, filter, null, MaxDeliveries, default);
        var all = new List<(Delivery, List<(long, Attempt)>)>();
        foreach (var delivery in found.Rows.Reverse())
            all.Add((delivery, await deliveries.AttemptsAsync(run.Project, delivery.Id)));
        return all;
    }
}
