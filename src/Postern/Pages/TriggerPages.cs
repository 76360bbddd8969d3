using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The triggers: the list, one trigger with its captures, and what is done to it.</summary>
internal sealed class TriggerPages(
    PageWriter writer,
    FormWrites writes,
    TriggerStore triggers,
    TriggerActions actions,
    CaptureStore captures,
    AgentStore agents,
    CaptureReader reader,
    AuditStore audit,
    TriggerUrls urls
) : IPages
{
    private const int KindSegment = 2;
    private const int MostAgents = 200;
    private const int MostRefused = 500;
    private const long Day = 24L * 3600 * 1_000_000;

    public void Map(PageDoors pages)
    {
        const string one = "/triggers/{kind}/{owner}/{trigger}";
        const string reads = "read:triggers:{trigger}";
        const string changes = "write:triggers:{trigger}";
        pages.Page("/triggers", Authorization.Needs("read", "triggers"), List).WithSummary("The triggers");
        pages
            .Page("/triggers/new", Authorization.Needs("write", "triggers"), AskToMake)
            .WithSummary("The form of a new trigger");
        pages
            .Form("/triggers", changes, [.. TriggerForm.OfNew, .. TriggerForm.All], Make)
            .WithSummary("Make a trigger")
            .Audits("trigger.put");
        pages.Page(one, reads, Show).WithSummary("One trigger, and what it captured");
        pages.Page(one + "/change", changes, AskToChange).WithSummary("The form of a trigger");
        pages
            .Form(one + "/change", changes, TriggerForm.All, Change)
            .WithSummary("Change a trigger")
            .Audits("trigger.changed");
        pages.Form(one + "/pause", changes, [], Pause).WithSummary("Pause a trigger").Audits("trigger.changed");
        pages
            .Form(one + "/resume", changes, [], Resume)
            .WithSummary("Let a paused trigger go on")
            .Audits("trigger.changed");
        pages.Page(one + "/delete", changes, AskToDelete).WithSummary("Whether to delete a trigger");
        pages.Form(one + "/delete", changes, [], Delete).WithSummary("Delete a trigger").Audits("trigger.deleted");
        pages
            .Form(one + "/invoke", "trigger:triggers:{trigger}", [], Invoke)
            .WithSummary("Fire a schedule now")
            .Audits("trigger.invoked");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http).Try(out var filters, out var wrong))
            return wrong;
        var rows = await triggers.ListAsync(context.Project, filters.After?.Id ?? "", filters.Size + 1);
        var next = rows.Count > filters.Size ? new Cursor(0, rows[filters.Size - 1].Uid).ToString() : null;
        return await writer.PageAsync<TriggersPage, TriggersModel>(
            context,
            new TriggersModel([.. rows.Take(filters.Size)], next)
        );
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await FindAsync(context, "read")).Try(out var trigger, out var refusal))
            return refusal;
        if (!PageFilters.Read(context.Http, "status", "sent", "capture").Try(out var filters, out var wrong))
            return wrong;
        var status = filters["status"];
        if (status.Length > 0 && !Capture.Statuses.Contains(status, StringComparer.Ordinal))
            return PageFilters.Bad($"status: {status} is none");
        var rows = await captures.ListAsync(
            trigger.Project,
            trigger.Uid,
            status,
            filters.After?.At ?? long.MaxValue,
            filters.After?.Id ?? "",
            filters.Size + 1
        );
        var refused = await audit.ListAsync(
            trigger.Project,
            new AuditFilter
            {
                Trigger = trigger.Name.Scope,
                TriggerUid = trigger.Uid,
                From = context.Now - Day,
            },
            null,
            MostRefused,
            context.Http.RequestAborted
        );
        Capture[] shown = [.. rows.Take(filters.Size)];
        return await writer.PageAsync<TriggerPage, TriggerModel>(
            context,
            new TriggerModel
            {
                Trigger = trigger,
                Url = await urls.OfAsync(trigger),
                Captures = shown,
                Whys = await reader.WhysAsync(shown),
                Filters = filters,
                Refused = TurnedAway.Of(refused.Rows),
                HasMoreRefused = refused.Next is not null,
                Sent = TestSent.StatusesOf(filters["sent"]),
                SentCapture = filters["capture"] is { Length: > 0 } sent
                    ? await captures.FindAsync(trigger.Project, trigger.Uid, sent)
                    : null,
                Next = rows.Count > shown.Length ? new Cursor(shown[^1].At, shown[^1].Id).ToString() : null,
            }
        );
    }

    private async Task<IResult> AskToMake(PageContext context) =>
        await writer.PageAsync<TriggerEditPage, TriggerEditModel>(
            context,
            new TriggerEditModel(null, await AgentsAsync(context))
        );

    private async Task<IResult> Make(PageContext context, ConsoleForm form)
    {
        context.Caller.DecidedByHandler();
        var (kind, owner, id) = (form["kind"], form["owner"].Trim(), form["id"].Trim());
        if (kind is not ("user" or "org"))
            return Refusal.BadRequest("kind must be user or org.", "invalid_form");
        if (owner.Length is 0 or > 200)
            return Refusal.BadRequest("owner must have 1 to 200 characters.", "invalid_form");
        if (id.Length is 0 or > 128)
            return Refusal.BadRequest("id must have 1 to 128 characters.", "invalid_form");
        var name = new TriggerName(kind, owner, id);
        if (!context.Caller.Allows("write", "triggers", name.Scope))
            return ConsoleFamily.Instance.Forbidden("write:triggers:" + name.Scope);
        if (!TriggerForm.Read(form, isNew: true).Try(out var fields, out var wrong))
            return wrong;
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
                (await actions.PutAsync(tx, context.Project, name, fields.Again(), context.Actor, replaces: false)).Try(
                    out var made,
                    out var refused
                )
                    ? TriggerPaths.Of(context, made.Name)
                    : refused
        );
    }

    private async Task<IResult> AskToChange(PageContext context) =>
        (await FindAsync(context, "write")).Try(out var trigger, out var refusal)
            ? await writer.PageAsync<TriggerEditPage, TriggerEditModel>(context, new TriggerEditModel(trigger, []))
            : refusal;

    private async Task<IResult> Change(PageContext context, ConsoleForm form)
    {
        if (!TriggerForm.Read(form, isNew: false).Try(out var fields, out var wrong))
        {
            context.Caller.DecidedByHandler();
            return wrong;
        }
        return await ChangeAsync(context, form, fields);
    }

    private Task<IResult> Pause(PageContext context, ConsoleForm form) => ActivateAsync(context, form, false);

    private Task<IResult> Resume(PageContext context, ConsoleForm form) => ActivateAsync(context, form, true);

    private Task<IResult> ActivateAsync(PageContext context, ConsoleForm form, bool isActive) =>
        ChangeAsync(
            context,
            form,
            new Fields(System.Text.Json.JsonSerializer.SerializeToElement(new { isActive }, Wire.Json), isPart: true)
        );

    private async Task<IResult> ChangeAsync(PageContext context, ConsoleForm form, Fields fields)
    {
        if (!(await FindAsync(context, "write")).Try(out var trigger, out var refusal))
            return refusal;
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
                (await actions.ChangeAsync(tx, context.Project, trigger.Name, fields.Again(), context.Actor)).Try(
                    out var changed,
                    out var refused
                )
                    ? TriggerPaths.Of(context, changed.Name)
                    : refused
        );
    }

    private async Task<IResult> AskToDelete(PageContext context)
    {
        if (!(await FindAsync(context, "write")).Try(out var trigger, out var refusal))
            return refusal;
        var path = TriggerPaths.Of(context, trigger.Name);
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Delete a trigger",
                Text =
                    $"{trigger.Name.Scope} is removed with what it has captured, and its URL answers 404. "
                    + $"What is under way ({trigger.InFlight}) goes on. That cannot be undone.",
                Action = path + "/delete",
                Button = "Delete it now",
                Back = path,
                Section = "triggers",
                Curl = Curl.Send("DELETE", "/api/triggers/" + trigger.Name.Path),
            }
        );
    }

    private async Task<IResult> Delete(PageContext context, ConsoleForm form) =>
        (await FindAsync(context, "write")).Try(out var trigger, out var refusal)
            ? await writes.WriteAsync(
                context,
                form,
                async tx =>
                    await TriggerStore.DeleteAsync(tx, trigger) ? context.Of("/triggers") : PageRefusals.NotFound
            )
            : refusal;

    private async Task<IResult> Invoke(PageContext context, ConsoleForm form)
    {
        if (!(await FindAsync(context, "trigger")).Try(out var trigger, out var refusal))
            return refusal;
        if (trigger is not { Mode: Trigger.Scheduled, IsActive: true })
            return new Refusal(409, "Only a schedule that is not paused can be fired.", "not_scheduled");
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await actions.InvokeAsync(trigger)).Try(out var capture, out var refused)
                    ? context.Of("/captures", capture)
                    : refused
        );
    }

    private async ValueTask<IReadOnlyList<string>> AgentsAsync(PageContext context) =>
        context.MayList("tasks")
            ? [.. (await agents.ListAsync(context.Project, "", MostAgents)).Select(a => a.Slug)]
            : [];

    private async ValueTask<Checked<Trigger>> FindAsync(PageContext context, string action)
    {
        var (http, caller) = (context.Http, context.Caller);
        if (
            TriggerName.OfPath(
                RequestPath.Segment(http, KindSegment),
                RequestPath.Segment(http, KindSegment + 1),
                RequestPath.Segment(http, KindSegment + 2)
            )
            is not { } name
        )
        {
            caller.DecidedByHandler();
            return PageRefusals.NotFound;
        }
        if (!caller.Allows(action, "triggers", name.Scope))
            return PageRefusals.Denied(caller, action, "triggers", name.Scope);
        return await triggers.FindAsync(caller.Project, name) is { } trigger ? trigger : PageRefusals.NotFound;
    }
}
