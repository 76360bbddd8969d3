using System.Globalization;
using System.Text.Json;
using Postern.Access;
using Postern.Approvals;
using Postern.Dispatch;
using Postern.Http;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>What waits for a person: the list, one question, and deciding it.</summary>
internal sealed class ApprovalPages(
    PageWriter writer,
    FormWrites writes,
    ApprovalStore approvals,
    ApprovalRequests requests,
    ApprovalDecisions decisions,
    SelfApproval asking,
    SessionDoor door
) : IPages
{
    /// <summary>Every status; without a filter only what waits is shown.</summary>
    public const string All = "all";

    private const int ApprovalSegment = 2;
    private const int MaxComment = 4000;
    private static readonly string[] Offered = [Decision.Approved, Decision.RequestChanges, Decision.Rejected];
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
    ];

    public void Map(PageDoors pages)
    {
        pages.Page("/approvals", Authorization.Needs("read", "approvals"), List).WithSummary("What waits for a person");
        pages.Page("/approvals/{approval}", "read:approvals:{approval}", Show).WithSummary("One question");
        pages
            .Form(
                "/approvals/{approval}/decide",
                "write:approvals:{approval}, granted by name",
                ["decision", "comment", "option"],
                Decide
            )
            .WithSummary("Decide a question");
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
        var filter = new ApprovalFilter(
            status is [] ? [Approval.Pending] : [.. status.Where(s => s != All)],
            filters.List("agent"),
            filters.List("run"),
            filters.List("session"),
            filters.List("service"),
            from,
            older < (to ?? long.MaxValue) ? older : to,
            filters.After,
            context.MayAdmin || MayDecide(context.Caller, null)
        )
        {
            Text = filters.Text("text"),
        };
        var found = await approvals.ListAsync(context.Project, filter, filters.Size, context.Http.RequestAborted);
        return await writer.PageAsync<ApprovalsPage, ApprovalsModel>(context, new ApprovalsModel(found, filters));
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (await FindAsync(context) is not { } approval)
            return PageRefusals.NotFound;
        var mayDecide = MayDecide(context.Caller, approval.Id);
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
            }
        );
    }

    private async Task<IResult> Decide(PageContext context, ConsoleForm form)
    {
        if (await FindAsync(context) is not { } approval)
            return PageRefusals.NotFound;
        if (!MayDecide(context.Caller, approval.Id))
            return ConsoleFamily.Instance.Forbidden($"write:approvals:{approval.Id}");
        if (await asking.IsItselfAsync(context.Caller, approval))
            return SelfApproval.Refusal;
        if (!Offered.Contains(form["decision"], StringComparer.Ordinal))
            return Refusal.BadRequest("decision: press one of the buttons.", "invalid_form");
        if (form["comment"].Length > MaxComment)
            return Refusal.BadRequest($"comment has more than {MaxComment} characters.", "invalid_form");
        var choices = Choice.Of(approval.Options);
        byte[]? response = null;
        if (form["option"].Length > 0)
        {
            if (
                !int.TryParse(form["option"], NumberStyles.None, CultureInfo.InvariantCulture, out var place)
                || place >= choices.Count
            )
                return Refusal.BadRequest("option is none of those that are offered.", "invalid_form");
            response = JsonSerializer.SerializeToUtf8Bytes(new { option = choices[place].Value }, Wire.Json);
        }
        var decided = new Decided(
            form["decision"],
            context.Authority.Credential,
            context.Authority.Actor,
            form.Text("comment"),
            response,
            approval.PayloadHash
        );
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
                await decisions.DecideAsync(tx, approval.Project, approval.Id, decided) switch
                {
                    DecideOutcome.Processed or DecideOutcome.Already => context.Of("/approvals", approval.Id),
                    DecideOutcome.Unknown => PageRefusals.NotFound,
                    DecideOutcome.Conflict lost => Late($"It was decided before: {lost.Approval.Status}."),
                    DecideOutcome.Expired => Late("It expired before."),
                    DecideOutcome.Cancelled => Late("Its run ended before."),
                    _ => Late("It asks something else by now."),
                }
        );
    }

    private static Refusal Late(string how) => new(409, how + " Your answer was not taken.", "decision_conflict");

    /// <summary>The question of the path; null where there is none for whoever looks.</summary>
    private async ValueTask<Approval?> FindAsync(PageContext context)
    {
        var caller = context.Caller;
        caller.DecidedByHandler();
        if (
            RequestPath.Segment(context.Http, ApprovalSegment) is not { } id
            || !(caller.Allows("read", "approvals", id) || MayDecide(caller, id))
            || await approvals.FindWholeAsync(caller.Project, id) is not { } approval
        )
            return null;
        // Nobody decides what he cannot see: who may decide it sees it, of an internal session too.
        return MayDecide(caller, id) || !await door.HidesAsync(caller, approval.Session) ? approval : null;
    }

    private static bool MayDecide(ProjectCaller caller, string? id) =>
        caller.Authority.Allows(new RequiredScope("write", "approvals", id, How: Given.ByName));
}
