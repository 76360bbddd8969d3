using Postern.Access;
using Postern.Approvals;
using Postern.Deliveries;

namespace Postern.Pages;

/// <summary>Counts what waits for the signed-in person, for the menu of every page.</summary>
internal sealed class PageCounts(ApprovalStore approvals, DeliveryStore deliveries, HiddenSubjects hidden)
{
    public async ValueTask<Waiting> OfAsync(ProjectCaller caller)
    {
        var (authority, project) = (caller.Authority, caller.Project);
        var isAdmin = authority.Allows(RequiredScope.FullAdmin);
        return new Waiting(
            authority.Allows(new RequiredScope("read", "approvals"))
                ? await approvals.CountPendingAsync(project, PersonOf(authority), isAdmin, Waiting.Most)
                : 0,
            authority.Allows(new RequiredScope("read", "deliveries"))
                ? await deliveries.CountAsync(project, DeadLetters(isAdmin), Waiting.Most)
                : 0
        );
    }

    /// <summary>Questions that this person has set aside are not counted.</summary>
    private static string PersonOf(Authority authority) => ((ConsoleAuthority)authority).Session.Credential;

    private DeliveryFilter DeadLetters(bool isAdmin) =>
        new(Delivery.Dead) { Shown = hidden.ShownTo(isAdmin, "delivery") };
}
