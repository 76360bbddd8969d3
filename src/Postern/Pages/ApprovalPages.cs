using System.Globalization;
using System.Text.Json;
using Postern.Access;
using Postern.Approvals;
using Postern.Dispatch;
using Postern.Http;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The questions that wait for a person: the list, and one question.</summary>
internal sealed class ApprovalPages(
    PageWriter writer,
    ApprovalStore approvals,
    ApprovalRequests requests,
    SelfApproval asking,
    ApprovalsAside aside,
    ApprovalFinder finder
) : IPages
{
    /// <summary>Every status. Without a filter, only waiting questions are shown.</summary>
    public const string All = "all";

    private static readonly string[] Filters =
    [
        "status",
        "agent",
        "run",
        "session",
        "service",
        "requested",
        "older",
        "text",
        "aside",
    ];

    /// <summary>
    /// The one value of the filter <c>aside</c>. With it, the list also contains what this person has set aside.
    /// </summary>
    public const string Shown = "shown";

    public void Map(PageDoors pages)
    {
        pages.Page("/approvals", Authorization.Needs("read", "approvals"), List).WithSummary("What waits for a person");
        pages.Page("/approvals/{approval}", "read:approvals:{approval}", Show).WithSummary("One question");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Filters).Try(out var filters, out var wrong))
            return wrong;
        var status = filters.List("status");
        if (status.FirstOrDefault(s => s != All && !Decision.Statuses.Contains(s, StringComparer.Ordinal)) is { } word)
            return PageFilters.Bad($"status: {word} is none");
        if (
            !RunQuery.TryReadSpan(context.Http.Request.Query, "requested", out var from, out var to)
            && filters["requested"].Length > 0
        )
            return PageFilters.Bad("requested is from..to in ISO 8601, such as 2026-01-31..2026-02-01");
        if (!filters.TryOlder(context.Now, out var older))
            return PageFilters.Bad(PageFilters.OlderIsNone);
        if (filters["aside"] is not ("" or Shown))
            return PageFilters.Bad($"aside is {Shown}, or left out");
        var filter = new ApprovalFilter(
            status is [] ? [Approval.Pending] : [.. status.Where(s => s != All)],
            filters.List("agent"),
            filters.List("run"),
            filters.List("session"),
            filters.List("service"),
            from,
            older < (to ?? long.MaxValue) ? older : to,
            filters.After,
            context.MayAdmin || ApprovalFinder.MayDecide(context.Caller, null)
        )
        {
            Text = filters.Text("text"),
            Person = filters["aside"] == Shown ? null : context.Person,
            SoonestFirst = true,
        };
        var found = await approvals.ListAsync(context.Project, filter, filters.Size, context.Http.RequestAborted);
        var hidden = filter.Person is { } person ? await aside.CountAsync(context.Project, person) : 0;
        return await writer.PageAsync<ApprovalsPage, ApprovalsModel>(
            context,
            new ApprovalsModel(found, filters, hidden, await approvals.CountsAsync(context.Project, filter))
        );
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (await finder.FindAsync(context) is not { } approval)
            return PageRefusals.NotFound;
        var mayDecide = ApprovalFinder.MayDecide(context.Caller, approval.Id);
        var isOpen = approval.IsPending && !approval.IsOverdue(context.Now);
        return await writer.PageAsync<ApprovalDetailPage, ApprovalModel>(
            context,
            new ApprovalModel
            {
                Approval = approval,
                MayDecide = mayDecide,
                AskedItself = await asking.IsItselfAsync(context.Caller, approval),
                Link = mayDecide && isOpen && approval.LinkDigest is not null ? requests.LinkOf(approval) : null,
                IsOpen = isOpen,
                HasOtherRounds =
                    context.MayList("approvals")
                    && (approval.Round > 1 || (await approvals.LastOfAsync(context.Project, approval.Run))?.Round > 1),
                AsideUntil = isOpen ? await aside.UntilAsync(context.Project, context.Person, approval.Id) : null,
            }
        );
    }
}
