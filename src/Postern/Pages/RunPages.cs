using Postern.Access;
using Postern.Approvals;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Live;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The runs: the list with its filters, one run with its timeline, and what an operator does to it.</summary>
internal sealed class RunPages(
    PageWriter writer,
    FormWrites writes,
    RunStore runs,
    RunActions actions,
    WhyNotDone whys,
    DeliveryStore deliveries,
    HiddenSubjects hidden,
    ApprovalStore approvals,
    SessionDoor door,
    PageStreams streams,
    StreamRegistry registry,
    Tails tails,
    Database database
) : IPages
{
    private const int RunSegment = 2;
    private const int MaxEvents = 500;
    private const int MaxDeliveries = 50;

    public void Map(PageDoors pages)
    {
        const string reads = "read:runs:{run}";
        const string changes = "write:runs:{run}";
        pages.Page("/runs/{run}", reads, Show).WithSummary("One run");
        pages.Stream("/runs/{run}/live", reads, Follow).WithSummary("A run, as it goes on");
        pages.Page("/runs/{run}/cancel", changes, AskToCancel).WithSummary("Whether to cancel a run");
        pages.Form("/runs/{run}/cancel", changes, ["reason"], Cancel).WithSummary("Cancel a run").Audits("run.cancel");
        pages.Form("/runs/{run}/retry", changes, ["profile"], Retry).WithSummary("Retry a run").Audits("run.retry");
        pages.Form("/runs/{run}/pause", changes, [], Pause).WithSummary("Pause a run").Audits("run.pause");
        pages.Form("/runs/{run}/resume", changes, [], Resume).WithSummary("Resume a run").Audits("run.resume");
        pages.Form("/runs/{run}/start", changes, [], Start).WithSummary("Start a run").Audits("run.start");
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await FindAsync(context, "read")).Try(out var run, out var refusal))
            return refusal;
        var model = await ModelAsync(run, context.MayList("deliveries"), context.MayAdmin);
        return await writer.PageAsync<RunPage, RunModel>(context, model);
    }

    private async Task<IResult> Follow(PageContext context)
    {
        if (!(await FindAsync(context, "read")).Try(out var run, out var refusal))
            return refusal;
        var (withDeliveries, isAdmin) = (context.MayList("deliveries"), context.MayAdmin);
        return new RunLive(
            writer,
            streams,
            registry,
            tails,
            context.Caller,
            run.Id,
            $"{withDeliveries} {isAdmin}",
            context.ResumeAfter,
            async () =>
                await runs.FindAsync(run.Project, run.Id) is { } now
                    ? await ModelAsync(now, withDeliveries, isAdmin)
                    : null
        );
    }

    private async Task<RunModel> ModelAsync(Run run, bool withDeliveries, bool isAdmin)
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
            Deliveries = withDeliveries ? await DeliveriesOfAsync(run, isAdmin) : [],
            Why = why,
            Approval = await approvals.LastOfAsync(run.Project, run.Id),
        };
    }

    private async Task<List<(Delivery, List<(long, Attempt)>)>> DeliveriesOfAsync(Run run, bool isAdmin)
    {
        var filter = new DeliveryFilter(Subject: run.Id) { Shown = isAdmin ? null : hidden.IsShown("delivery") };
        var found = await deliveries.ListAsync(run.Project, filter, null, MaxDeliveries, default);
        var all = new List<(Delivery, List<(long, Attempt)>)>();
        foreach (var delivery in found.Rows.Reverse())
            all.Add((delivery, await deliveries.AttemptsAsync(run.Project, delivery.Id)));
        return all;
    }

    private async Task<IResult> AskToCancel(PageContext context)
    {
        if (!(await FindAsync(context, "write")).Try(out var run, out var refusal))
            return refusal;
        var path = context.Of("/runs", run.Id);
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Cancel a run",
                Text =
                    $"{run.Id} of {run.Agent} is {run.Status}. It ends as cancelled, and its agent is told. "
                    + "That cannot be undone.",
                Action = path + "/cancel",
                Button = "Cancel it now",
                Back = path,
                Section = "runs",
                ReasonField = "reason",
                Curl = Curl.Send("POST", $"/api/v1/runs/{run.Id}/cancel", "{}"),
            }
        );
    }

    private Task<IResult> Cancel(PageContext context, ConsoleForm form) =>
        ActAsync(context, form, (tx, run) => actions.CancelAsync(tx, run, form.Text("reason"), context.Actor));

    private Task<IResult> Retry(PageContext context, ConsoleForm form) =>
        ActAsync(
            context,
            form,
            (tx, run) => actions.RetryAsync(tx, run, "console " + form.OnceText, form.Text("profile"), context.Actor)
        );

    private Task<IResult> Pause(PageContext context, ConsoleForm form) =>
        ActAsync(context, form, (tx, run) => actions.PauseAsync(tx, run, context.Actor));

    private Task<IResult> Resume(PageContext context, ConsoleForm form) =>
        ActAsync(context, form, (tx, run) => actions.ResumeAsync(tx, run, context.Actor));

    private Task<IResult> Start(PageContext context, ConsoleForm form) =>
        ActAsync(context, form, (tx, run) => actions.StartAsync(tx, run, context.Actor));

    private async Task<IResult> ActAsync(
        PageContext context,
        ConsoleForm form,
        Func<Tx, HeldRun, ValueTask<Checked<Run>>> act
    )
    {
        if (!(await FindAsync(context, "write")).Try(out var found, out var refusal))
            return refusal;
        if (form["profile"].Length > 128 || form["reason"].Length > 500)
            return Refusal.BadRequest("profile has at most 128 characters, reason at most 500.", "invalid_form");
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                if (await HeldRun.LockAsync(tx, found.Project, found.Id) is not { } locked)
                    return PageRefusals.NotFound;
                return (await act(tx, locked)).Try(out var run, out var refused)
                    ? context.Of("/runs", run.Id)
                    : refused;
            }
        );
    }

    private async ValueTask<Checked<Run>> FindAsync(PageContext context, string action)
    {
        var caller = context.Caller;
        if (RequestPath.Segment(context.Http, RunSegment) is not { } id)
            return PageRefusals.NotFound;
        if (!caller.Allows(action, "runs", id))
            return PageRefusals.Denied(caller, action, "runs", id);
        var run = await runs.FindAsync(caller.Project, id);
        return run is null || await door.HidesAsync(caller, run.Session) ? PageRefusals.NotFound : run;
    }
}
