using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The actions of an operator on a run.</summary>
internal sealed class RunForms(PageWriter writer, FormWrites writes, RunFinder finder, RunActions actions) : IPages
{
    public void Map(PageDoors pages)
    {
        const string changes = "write:runs:{run}";
        pages.Page("/runs/{run}/cancel", changes, AskToCancel).WithSummary("Whether to cancel a run");
        pages.Form("/runs/{run}/cancel", changes, ["reason"], Cancel).WithSummary("Cancel a run").Audits("run.cancel");
        pages.Form("/runs/{run}/retry", changes, ["profile"], Retry).WithSummary("Retry a run").Audits("run.retry");
        pages.Form("/runs/{run}/pause", changes, [], Pause).WithSummary("Pause a run").Audits("run.pause");
        pages.Form("/runs/{run}/resume", changes, [], Resume).WithSummary("Resume a run").Audits("run.resume");
        pages.Form("/runs/{run}/start", changes, [], Start).WithSummary("Start a run").Audits("run.start");
    }

    private async Task<IResult> AskToCancel(PageContext context)
    {
        if (!(await finder.FindAsync(context, "write")).Try(out var run, out var refusal))
            return refusal;
        var path = context.Of("/runs", run.Id);
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Cancel a run",
                Text =
                    $"{run.Id} of {run.Agent} is {run.Status}. It ends as cancelled, and its agent is told. "
                    + "This cannot be undone.",
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
        ActAsync(
            context,
            form,
            (tx, run) =>
                run.IsEnded ? new(Ended(run)) : actions.CancelAsync(tx, run, form.Text("reason"), context.Actor)
        );

    private static Checked<Run> Ended(Run run) =>
        new Refusal(409, $"The run has ended before: it is {run.Status}. Nothing was changed.", "run_ended");

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
        if (!(await finder.FindAsync(context, "write")).Try(out var found, out var refusal))
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
}
