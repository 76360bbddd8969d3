using Postern.Access;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The overview: what waits for somebody, what is broken, and what failed last.</summary>
internal sealed class OverviewPages(
    PageWriter writer,
    RunStore runs,
    WebhookEndpoints endpoints,
    TriggerStore triggers,
    Stuck stuck,
    ChartReader charts
) : IPages
{
    private const int LastFailures = 20;
    private const int MostLooked = 200;

    public void Map(PageDoors pages) => pages.Page("", "any", Show).WithSummary("The overview");

    private async Task<IResult> Show(PageContext context)
    {
        context.Caller.DecidedByHandler();
        if (
            !PageFilters
                .Read(context.Http, ChartReader.ChartFilter, ChartReader.SpanFilter)
                .Try(out var filters, out var wrong)
        )
            return wrong;
        if (!(await charts.ReadAsync(context, filters)).Try(out var drawn, out var unknown))
            return unknown;
        var mayRuns = context.Caller.Allows("read", "runs");
        var (disabled, open) = (new List<WebhookEndpoint>(), new List<Trigger>());
        if (context.Caller.Allows("read", "deliveries"))
            disabled.AddRange((await endpoints.ListAsync(context.Project, "", MostLooked)).Where(e => !e.Enabled));
        if (context.Caller.Allows("read", "triggers"))
            open.AddRange((await triggers.ListAsync(context.Project, "", MostLooked)).Where(t => t.AuthScheme is null));
        var failed = mayRuns ? await FailedAsync(context) : [];
        var waits = mayRuns ? (await stuck.FindAsync(context.Project, context.MayAdmin)).Count : 0;
        return await writer.PageAsync<OverviewPage, OverviewModel>(
            context,
            new OverviewModel(failed, disabled.Count, open.Count, mayRuns, waits, drawn)
        );
    }

    private async ValueTask<IReadOnlyList<Run>> FailedAsync(PageContext context)
    {
        var filter = new RunFilter
        {
            Phases = [Phase.Failed, Phase.TimedOut],
            IsShown = SessionStore.ShownTo(context.MayAdmin, "run"),
        };
        return (await runs.ListAsync(context.Project, filter, LastFailures, context.Http.RequestAborted)).Rows;
    }
}
