using Postern.Approvals;
using Postern.Bulk;
using Postern.Deliveries;
using Postern.Sessions;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// Things that are found by the beginning of their ids: questions, deliveries, captures, jobs over many things. Each
/// only for who may read it.
/// </summary>
internal sealed class BeginningFinds(
    ApprovalStore approvals,
    DeliveryStore deliveries,
    InboundFinder inbound,
    BulkStore bulk,
    BulkJobs jobs,
    HiddenSubjects hidden,
    SessionDoor door
)
{
    public async ValueTask<List<FoundThing>> OfAsync(PageContext context, string text, int most) =>
        Kind(text) switch
        {
            Approval.Prefix => await QuestionsAsync(context, text, most),
            Delivery.Prefix => await DeliveriesAsync(context, text, most),
            BulkJob.Prefix => await JobsAsync(context, text, most),
            _ when text.All(c => char.IsAsciiHexDigitLower(c) || c == '-') => await CapturesAsync(context, text, most),
            _ => [],
        };

    private static string Kind(string text) => text.Split('_')[0];

    private async ValueTask<List<FoundThing>> QuestionsAsync(PageContext context, string text, int most)
    {
        var found = new List<FoundThing>();
        foreach (var (id, session) in await approvals.BeginningWithAsync(context.Project, text, most))
            if (context.Caller.Allows("read", "approvals", id) && !await door.HidesAsync(context.Caller, session))
                found.Add(new FoundThing("question", id, context.Of("/approvals", id)));
        return found;
    }

    private async ValueTask<List<FoundThing>> DeliveriesAsync(PageContext context, string text, int most)
    {
        if (!context.Caller.Allows("read", "deliveries"))
            return [];
        var shown = hidden.ShownTo(context.MayAdmin, "delivery");
        var ids = await deliveries.BeginningWithAsync(context.Project, text, shown, most);
        return [.. ids.Select(id => new FoundThing("delivery", id, context.Of("/deliveries", id)))];
    }

    private async ValueTask<List<FoundThing>> JobsAsync(PageContext context, string text, int most) =>
        [
            .. (await bulk.BeginningWithAsync(context.Project, text, most))
                .Where(job => jobs.MayTouch(context.Caller, job))
                .Select(job => new FoundThing("job", job.Id, context.Of("/bulk", job.Id))),
        ];

    private async ValueTask<List<FoundThing>> CapturesAsync(PageContext context, string text, int most) =>
        [
            .. (await inbound.CapturesBeginningAsync(context.Project, text, most))
                .Where(found => context.Caller.Allows("read", "triggers", found.Trigger.Scope))
                .Select(found => new FoundThing("capture", found.Capture, context.Of("/captures", found.Capture))),
        ];
}
