using Postern.Access;
using Postern.Approvals;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The overview: what waits for somebody, what is broken, and what failed last.</summary>
internal sealed class OverviewPages(
    PageWriter writer,
    RunStore runs,
    ApprovalStore approvals,
    WebhookEndpoints endpoints,
    TriggerStore triggers,
    Stuck stuck,
    ChartReader charts
) : IPages
{
    private const int LastFailures = 20;
    private const int MostCounted = (int)Waiting.Most;

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
        return await writer.PageAsync<OverviewPage, OverviewModel>(
            context,
            new OverviewModel
            {
                Failed = mayRuns ? await FailedAsync(context) : [],
                OldestQuestion = context.Caller.Allows("read", "approvals")
                    ? await approvals.WaitsSinceAsync(context.Project, context.Person, context.MayAdmin)
                    : null,
                DisabledEndpoints = context.Caller.Allows("read", "deliveries")
                    ? (await endpoints.ListAsync(context.Project, "", MostCounted, onlyDisabled: true)).Count
                    : 0,
                OpenTriggers = context.Caller.Allows("read", "triggers")
                    ? (await triggers.ListAsync(context.Project, "", MostCounted, onlyOpen: true)).Count
                    : 0,
                ShowsRuns = mayRuns,
                Stuck = mayRuns ? (await stuck.FindAsync(context.Project, context.MayAdmin)).Count : 0,
                Charts = drawn,
            }
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
