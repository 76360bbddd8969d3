using Postern.Approvals;
using Postern.Deliveries;
using Postern.Sessions;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// Finds things by their whole id or name: triggers, captures, deliveries, questions. Only what the caller may read;
/// other things look as if they did not exist.
/// </summary>
internal sealed class ExactFinds(
    TriggerStore triggers,
    CaptureReader captures,
    DeliveryStore deliveries,
    ApprovalStore approvals,
    HiddenSubjects hidden,
    SessionDoor door
)
{
    /// <summary>Returns the page of the thing, or null when the caller may see none.</summary>
    public async ValueTask<string?> PathAsync(PageContext context, string text)
    {
        if (TriggerName.OfScope(text) is { } name)
            return
                context.Caller.Allows("read", "triggers", name.Scope)
                && await triggers.FindAsync(context.Project, name) is not null
                ? TriggerPaths.Of(context, name)
                : null;
        if (text.StartsWith(Delivery.Prefix + "_", StringComparison.Ordinal))
            return await DeliveryAsync(context, text);
        if (text.StartsWith(Approval.Prefix + "_", StringComparison.Ordinal))
            return await QuestionAsync(context, text);
        return
            Guid.TryParseExact(text, "D", out _)
            && await captures.FindAsync(context.Project, text) is var (capture, trigger)
            && context.Caller.Allows("read", "triggers", trigger.Name.Scope)
            ? context.Of("/captures", capture.Id)
            : null;
    }

    private async ValueTask<string?> DeliveryAsync(PageContext context, string id)
    {
        var shown = hidden.ShownTo(context.MayAdmin, "delivery");
        return
            context.Caller.Allows("read", "deliveries")
            && await deliveries.FindAsync(context.Project, id, shown) is { } delivery
            ? context.Of("/deliveries", delivery.Id)
            : null;
    }

    private async ValueTask<string?> QuestionAsync(PageContext context, string id) =>
        context.Caller.Allows("read", "approvals", id)
        && await approvals.FindWholeAsync(context.Project, id) is { } approval
        && !await door.HidesAsync(context.Caller, approval.Session)
            ? context.Of("/approvals", approval.Id)
            : null;
}
