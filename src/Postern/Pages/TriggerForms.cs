using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The actions on a trigger: making, changing, pausing, deleting and firing one.</summary>
internal sealed class TriggerForms(
    PageWriter writer,
    FormWrites writes,
    TriggerFinder finder,
    TriggerActions actions,
    AgentStore agents
) : IPages
{
    private const int MostAgents = 200;

    public void Map(PageDoors pages)
    {
        const string one = TriggerPaths.One;
        const string changes = "write:triggers:{trigger}";
        pages
            .Page("/triggers/new", Authorization.Needs("write", "triggers"), AskToMake)
            .WithSummary("The form of a new trigger");
        pages
            .Form("/triggers", changes, [.. TriggerForm.OfNew, .. TriggerForm.All], Make)
            .WithSummary("Make a trigger")
            .Audits("trigger.put");
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
        (await finder.FindAsync(context, "write")).Try(out var trigger, out var refusal)
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
            new Fields(JsonSerializer.SerializeToElement(new { isActive }, Wire.Json), isPart: true)
        );

    private async Task<IResult> ChangeAsync(PageContext context, ConsoleForm form, Fields fields)
    {
        if (!(await finder.FindAsync(context, "write")).Try(out var trigger, out var refusal))
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
        if (!(await finder.FindAsync(context, "write")).Try(out var trigger, out var refusal))
            return refusal;
        var path = TriggerPaths.Of(context, trigger.Name);
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Delete a trigger",
                Text =
                    $"{trigger.Name.Scope} is removed with what it has captured, and its URL answers 404. "
                    + $"What is under way ({trigger.InFlight}) goes on. This cannot be undone.",
                Action = path + "/delete",
                Button = "Delete it now",
                Back = path,
                Section = "triggers",
                Curl = Curl.Send("DELETE", "/api/triggers/" + trigger.Name.Path),
            }
        );
    }

    private async Task<IResult> Delete(PageContext context, ConsoleForm form) =>
        (await finder.FindAsync(context, "write")).Try(out var trigger, out var refusal)
            ? await writes.WriteAsync(
                context,
                form,
                async tx =>
                    await TriggerStore.DeleteAsync(tx, trigger) ? context.Of("/triggers") : PageRefusals.NotFound
            )
            : refusal;

    private async Task<IResult> Invoke(PageContext context, ConsoleForm form)
    {
        if (!(await finder.FindAsync(context, "trigger")).Try(out var trigger, out var refusal))
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
}
