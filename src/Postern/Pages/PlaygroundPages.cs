using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Runs;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The page where things are tried: a chat, a run, a webhook as its sender would send it.</summary>
internal sealed class PlaygroundPages(
    PageWriter writer,
    TriggerStore triggers,
    TriggerFinder finder,
    CaptureStore captures,
    AgentStore agents,
    WorkflowStore workflows
) : IPages
{
    private const int MostNames = 200;
    private static readonly string[] Names = ["tab", "trigger", "from", "sent", "capture"];

    public void Map(PageDoors pages) =>
        pages.Page("/playground", "any", Show).WithSummary("Where things are tried out");

    private async Task<IResult> Show(PageContext context)
    {
        context.Caller.DecidedByHandler();
        if (!PageFilters.Read(context.Http, Names).Try(out var asked, out var wrong))
            return wrong;
        string[] tabs = [.. PlaygroundModel.TabsOf(context)];
        var tab = asked["tab"] is { Length: > 0 } named ? named : tabs.FirstOrDefault() ?? "";
        if (tab.Length > 0 && !tabs.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad("tab is none of " + string.Join(", ", tabs));
        var model = new PlaygroundModel { Tab = tab };
        if (tab == PlaygroundModel.Webhook)
            return await ShowWebhookAsync(context, model, asked);
        return await writer.PageAsync<PlaygroundPage, PlaygroundModel>(
            context,
            model with
            {
                Agents = context.MayList("tasks")
                    ? [.. (await agents.ListAsync(context.Project, "", MostNames)).Select(a => a.Slug)]
                    : [],
                Workflows =
                    tab == PlaygroundModel.Run && context.MayList("runs")
                        ? [.. (await workflows.ListAsync(context.Project, "", MostNames)).Select(w => w.Name)]
                        : [],
            }
        );
    }

    private async Task<IResult> ShowWebhookAsync(PageContext context, PlaygroundModel model, PageFilters asked)
    {
        Trigger[] known = context.MayList("triggers")
            ? [.. (await triggers.ListAsync(context.Project, "", MostNames)).Where(t => t.Mode == Trigger.Webhook)]
            : [];
        model = model with { Triggers = [.. known.Select(t => t.Name.Scope)] };
        var trigger = known.FirstOrDefault();
        if (
            asked["trigger"] is { Length: > 0 } scope
            && !(await finder.FindAsync(context, scope, "read")).Try(out trigger, out var refusal)
        )
            return refusal;
        if (trigger is null)
            return await writer.PageAsync<PlaygroundPage, PlaygroundModel>(context, model);
        var example = WebhookExample.Of(trigger.AuthScheme, Guid.NewGuid().ToString("N"));
        if (asked["from"] is { Length: > 0 } from)
        {
            var capture =
                from == "last"
                    ? (
                        await captures.ListAsync(trigger.Project, trigger.Uid, null, long.MaxValue, "", 1)
                    ).FirstOrDefault()
                    : await captures.FindAsync(trigger.Project, trigger.Uid, from);
            if (capture is null && from != "last")
                return PageRefusals.NotFound;
            if (capture is { Method.Length: > 0 })
                example = WebhookExample.Of(capture);
        }
        return await writer.PageAsync<PlaygroundPage, PlaygroundModel>(
            context,
            model with
            {
                Trigger = trigger,
                Example = example,
                Sent = TestSent.StatusesOf(asked["sent"]),
                Capture = asked["capture"] is { Length: > 0 } id
                    ? await captures.FindAsync(trigger.Project, trigger.Uid, id)
                    : null,
            }
        );
    }
}
