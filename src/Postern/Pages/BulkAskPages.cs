using System.Text.Json;
using Postern.Access;
using Postern.Bulk;
using Postern.Http;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// The confirmation of an action on many things, with their number and the first of them, and its answer. Also pausing
/// a trigger together with cancelling its runs.
/// </summary>
internal sealed class BulkAskPages(
    PageWriter writer,
    FormWrites writes,
    BulkJobs jobs,
    TriggerFinder finder,
    TriggerActions actions
) : IPages
{
    /// <summary>The rule of the doors. The handlers check the right for the action.</summary>
    public const string OfAction = "the action's";

    private static readonly string[] Asked = ["action", "filter", "mark", "reason"];

    public void Map(PageDoors pages)
    {
        pages.Page("/bulk/ask", OfAction, Ask).WithSummary("Whether to do something to many things");
        pages.Form("/bulk", OfAction, Asked, Start).WithSummary("Do something to many things").Audits("bulk.asked");
        const string pauses = "write:triggers:{trigger} and write:runs";
        pages.Page("/bulk/pause", pauses, AskToPause).WithSummary("Whether to pause a trigger and cancel its runs");
        pages
            .Form("/bulk/pause", pauses, ["trigger", .. Asked], Pause)
            .WithSummary("Pause a trigger and cancel its runs")
            .Audits("trigger.paused");
    }

    private async Task<IResult> Ask(PageContext context)
    {
        if (!ReadQuery(context, "action").Try(out var ask, out var refusal))
            return refusal;
        var found = await jobs.PreviewAsync(context.Http, context.Caller, ask);
        return await writer.PageAsync<BulkAskPage, BulkAskModel>(
            context,
            new BulkAskModel { Ask = ask, Found = found }
        );
    }

    private async Task<IResult> Start(PageContext context, ConsoleForm form)
    {
        if (!ReadForm(context, form).Try(out var ask, out var refusal))
            return refusal;
        return await StartAsync(context, form, ask, null);
    }

    private async Task<IResult> AskToPause(PageContext context)
    {
        var named = context.Http.Request.Query["trigger"].ToString();
        if (!(await finder.FindAsync(context, named, "write")).Try(out var trigger, out var missing))
            return missing;
        if (!ReadQuery(context).Try(out var ask, out var refusal))
            return refusal;
        var found = await jobs.PreviewAsync(context.Http, context.Caller, ask);
        return await writer.PageAsync<BulkAskPage, BulkAskModel>(
            context,
            new BulkAskModel
            {
                Ask = ask,
                Found = found,
                Pauses = trigger.Name.Scope,
            }
        );
    }

    private async Task<IResult> Pause(PageContext context, ConsoleForm form)
    {
        if (!(await finder.FindAsync(context, form["trigger"], "write")).Try(out var trigger, out var missing))
            return missing;
        if (!ReadForm(context, form).Try(out var ask, out var refusal))
            return refusal;
        return await StartAsync(context, form, ask, tx => PauseAsync(tx, context, trigger.Name));
    }

    /// <summary>Pauses a trigger with the same code that changes one.</summary>
    private async ValueTask<Refusal?> PauseAsync(Tx tx, PageContext context, TriggerName name)
    {
        var body = new Fields(JsonSerializer.SerializeToElement(new { isActive = false }, Wire.Json), isPart: true);
        var paused = await actions.ChangeAsync(tx, context.Project, name, body, context.Actor);
        return paused.Try(out _, out var refusal) ? null : refusal;
    }

    private async Task<IResult> StartAsync(
        PageContext context,
        ConsoleForm form,
        BulkAsk ask,
        Func<Tx, ValueTask<Refusal?>>? first
    )
    {
        if (form["reason"].Length > BulkJob.MaxReason)
            return Refusal.BadRequest($"reason has at most {BulkJob.MaxReason} characters.", "invalid_form");
        var (http, caller) = (context.Http, context.Caller);
        // A job is started once under its mark: when the form is sent again after a fault, it finds the existing job.
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await jobs.StartAsync(http, caller, ask, form["mark"], form.Text("reason"), first)).Try(
                    out var job,
                    out var refusal
                )
                    ? context.Of("/bulk", job.Id)
                    : refusal
        );
    }

    /// <summary>Returns what the address of a confirmation asks for.</summary>
    private Checked<BulkAsk> ReadQuery(PageContext context, params IReadOnlyList<string> beside)
    {
        var query = context.Http.Request.Query;
        // Pausing a trigger in this way cancels its runs.
        var name = beside.Contains("action") ? query["action"].ToString() : RunBulk.Cancel;
        if (jobs.Find(name) is not { } action)
            return Unknown(context, name);
        if (!PageFilters.Read(context.Http, [.. action.Filters, .. beside]).Try(out var filters, out var wrong))
            return wrong;
        var given = action.Filters.Select(f => KeyValuePair.Create(f, filters[f]));
        return BulkFilter.Read(given, action.Filters).Try(out var filter, out var bad)
            ? BulkJobs.Check(context.Caller, action, filter, ConsoleFamily.Instance)
            : bad;
    }

    /// <summary>Returns what a form asks for: the action and the filter of its confirmation.</summary>
    private Checked<BulkAsk> ReadForm(PageContext context, ConsoleForm form)
    {
        if (jobs.Find(form["action"]) is not { } action)
            return Unknown(context, form["action"]);
        try
        {
            using var json = JsonDocument.Parse(
                form["filter"],
                new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 4 }
            );
            if (json.RootElement.ValueKind == JsonValueKind.Object)
                return BulkFilter.Read(json.RootElement, action.Filters).Try(out var filter, out var bad)
                    ? BulkJobs.Check(context.Caller, action, filter, ConsoleFamily.Instance)
                    : bad;
        }
        catch (JsonException)
        {
            // The same answer as for any other invalid filter.
        }
        return Refusal.BadRequest("filter must be that of the question.", "invalid_form");
    }

    private static Refusal Unknown(PageContext context, string name)
    {
        context.Caller.DecidedByHandler();
        return PageFilters.Bad($"action: {Wire.Cut(name, 64)} is none");
    }
}
