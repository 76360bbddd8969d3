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
    Database database
)
{
    /// <summary>Events that are drawn, and those that stand on a page.</summary>
    private const int MaxEvents = 500;
    private const int FirstEvents = 200;
    private const int MaxDeliveries = 50;
    private const int MaxQuestions = 50;

    /// <summary>Events that are left out of the picture are counted up to this.</summary>
    public const int MaxCounted = 10_000;

    /// <summary>Returns the same run as it is now, or null when it is gone.</summary>
    public async ValueTask<RunModel?> ReloadAsync(Run run, RunSight sight) =>
        await runs.FindAsync(run.Project, run.Id) is { } now ? await OfAsync(now, sight) : null;

    public async ValueTask<RunModel> OfAsync(Run run, RunSight sight)
    {
        var model = await database.ReadAsync(async tx =>
        {
            var (events, between) = await DrawnAsync(tx, run);
            return new RunModel
            {
                Run = run,
                Data = await RunData.AllAsync(tx, run.Project, run.Id),
                Attempts = await RunEvents.AttemptsAsync(tx, run.Project, run.Id),
                Events = events,
                EventsBetween = between,
                IsForAdmin = sight.Admin,
                Deliveries = [],
                Why = await whys.OfAsync(tx, run),
                Questions = sight.Questions
                    ? await ApprovalStore.OfRunAsync(tx, run.Project, run.Id, MaxQuestions)
                    : [],
            };
        });
        return sight.Deliveries ? model with { Deliveries = await DeliveriesOfAsync(run, sight) } : model;
    }

    /// <summary>The same with a page of its events, as they were recorded.</summary>
    /// <param name="after">The number behind which the page begins; null: at the beginning.</param>
    public async ValueTask<RunModel> WithEventsAsync(RunModel model, long? after)
    {
        var run = model.Run;
        var found = await database.ReadAsync(tx =>
            RunEvents.AfterAsync(tx, run.Project, run.Id, after ?? 0, MaxEvents + 1)
        );
        return model with
        {
            Listed = [.. found.Take(MaxEvents)],
            ListedNext = found.Count > MaxEvents ? found[MaxEvents - 1].Seq : null,
            IsListAsked = after is not null,
        };
    }

    /// <summary>All events; of very many the first and the last, and how many are between.</summary>
    private static async ValueTask<(IReadOnlyList<RunEvent> Events, long Between)> DrawnAsync(Tx tx, Run run)
    {
        var first = await RunEvents.AfterAsync(tx, run.Project, run.Id, 0, MaxEvents + 1);
        if (first.Count <= MaxEvents)
            return (first, 0);
        first.RemoveRange(FirstEvents, first.Count - FirstEvents);
        var last = await RunEvents.NewestAsync(tx, run.Project, run.Id, MaxEvents - FirstEvents);
        var (from, to) = (first[^1].Seq, last[0].Seq);
        return ([.. first, .. last], await RunEvents.CountAsync(tx, run.Project, run.Id, from, to, MaxCounted));
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
