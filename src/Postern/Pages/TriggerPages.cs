using Postern.Access;
using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The triggers: the list, and one trigger with what it captured.</summary>
internal sealed class TriggerPages(
    PageWriter writer,
    TriggerStore triggers,
    TriggerFinder finder,
    CaptureStore captures,
    CaptureReader reader,
    AuditStore audit,
    TriggerUrls urls
) : IPages
{
    /// <summary>The one value of the filter <c>opened</c>: triggers that anybody may call now.</summary>
    public const string ByAnybody = "anybody";

    private const int MostRefused = 500;
    private const long Day = 24L * 3600 * 1_000_000;

    public void Map(PageDoors pages)
    {
        pages.Page("/triggers", Authorization.Needs("read", "triggers"), List).WithSummary("The triggers");
        pages.Page(TriggerPaths.One, "read:triggers:{trigger}", Show).WithSummary("One trigger, and what it captured");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, "opened").Try(out var filters, out var wrong))
            return wrong;
        if (filters["opened"] is not ("" or ByAnybody))
            return PageFilters.Bad($"opened is {ByAnybody}, or left out");
        var rows = await triggers.ListAsync(
            context.Project,
            filters.After?.Id ?? "",
            filters.Size + 1,
            onlyOpen: filters["opened"] == ByAnybody
        );
        var next = rows.Count > filters.Size ? new Cursor(0, rows[filters.Size - 1].Uid).ToString() : null;
        return await writer.PageAsync<TriggersPage, TriggersModel>(
            context,
            new TriggersModel([.. rows.Take(filters.Size)], next, filters)
        );
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await finder.FindAsync(context, "read")).Try(out var trigger, out var refusal))
            return refusal;
        if (!PageFilters.Read(context.Http, "status", "text", "sent", "capture").Try(out var filters, out var wrong))
            return wrong;
        var status = filters["status"];
        if (status.Length > 0 && !Capture.Statuses.Contains(status, StringComparer.Ordinal))
            return PageFilters.Bad($"status: {status} is none");
        var found = await CapturesAsync(context, trigger, filters);
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
        return await writer.PageAsync<TriggerPage, TriggerModel>(
            context,
            new TriggerModel
            {
                Trigger = trigger,
                Url = await urls.OfAsync(trigger),
                Captures = found.Rows,
                Whys = await reader.WhysAsync(found.Rows),
                Looked = filters["text"].Length > 0 ? found.Looked : null,
                Filters = filters,
                Refused = TurnedAway.Of(refused.Rows),
                HasMoreRefused = refused.Next is not null,
                Sent = TestSent.StatusesOf(filters["sent"]),
                SentCapture = filters["capture"] is { Length: > 0 } sent
                    ? await captures.FindAsync(trigger.Project, trigger.Uid, sent)
                    : null,
                Next = Cursor.Text(found.Next),
            }
        );
    }

    /// <summary>Returns a page of its captures; in a search, those that contain the text.</summary>
    private async ValueTask<CaptureSearch> CapturesAsync(PageContext context, Trigger trigger, PageFilters filters)
    {
        if (filters.Text("text") is { } text)
            return await CaptureSearch.FindAsync(
                captures,
                trigger,
                filters["status"],
                text,
                filters.After?.Place,
                filters.Size,
                () => context.Caller.EnsureStillAllowed()
            );
        var rows = await captures.ListAsync(
            trigger.Project,
            trigger.Uid,
            filters["status"],
            filters.After?.At ?? long.MaxValue,
            filters.After?.Id ?? "",
            filters.Size + 1
        );
        Capture[] shown = [.. rows.Take(filters.Size)];
        return new CaptureSearch(shown, shown.Length, rows.Count > shown.Length ? (shown[^1].At, shown[^1].Id) : null);
    }
}
