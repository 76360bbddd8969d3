using Postern.Access;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;

namespace Postern.Pages;

/// <summary>The action on the calls of agents: sending a failed one now, before its next try.</summary>
internal sealed class DispatchPages(FormWrites writes, RunReader runs, Redelivery again) : IPages
{
    private const int RunSegment = 2;

    public void Map(PageDoors pages) =>
        pages
            .Form("/runs/{run}/retry-dispatch", Authorization.Needs("write", "deliveries"), [], Retry)
            .WithSummary("Call a run's agent again now")
            .Audits("delivery.retried");

    private async Task<IResult> Retry(PageContext context, ConsoleForm form)
    {
        if (
            RequestPath.Segment(context.Http, RunSegment) is not { } id
            || await runs.FindAsync(context.Caller, id) is not { } run
        )
            return PageRefusals.NotFound;
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                var pending = await DeliveryQueries.PendingAboutAsync(
                    tx,
                    run.Project,
                    [run.Id],
                    AgentDispatch.PurposeName
                );
                if (!pending.TryGetValue(run.Id, out var dispatch))
                    return new Refusal(409, "No call of its agent waits for a try.", "not_retryable");
                return await again.RetryAsync(tx, run.Project, dispatch.Delivery.Id) is { } why
                    ? why
                    : context.Of("/runs", run.Id);
            }
        );
    }
}
