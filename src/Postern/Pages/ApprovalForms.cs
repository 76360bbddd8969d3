using System.Globalization;
using System.Text.Json;
using Postern.Access;
using Postern.Approvals;
using Postern.Http;

namespace Postern.Pages;

/// <summary>What is done to a question: deciding it, and setting it aside, which decides nothing.</summary>
internal sealed class ApprovalForms(
    FormWrites writes,
    ApprovalFinder finder,
    ApprovalDecisions decisions,
    SelfApproval asking
) : IPages
{
    private const int MaxComment = 4000;
    private static readonly string[] Offered = [Decision.Approved, Decision.RequestChanges, Decision.Rejected];

    public void Map(PageDoors pages)
    {
        pages
            .Form(
                "/approvals/{approval}/decide",
                "write:approvals:{approval}, granted by name",
                ["decision", "comment", "option"],
                Decide
            )
            .WithSummary("Decide a question");
        pages
            .Form("/approvals/{approval}/aside", "read:approvals:{approval}", [], PutAside)
            .WithSummary("Leave a question out of one's own lists for an hour")
            .Audits("approval.set_aside");
        pages
            .Form("/approvals/{approval}/back", "read:approvals:{approval}", [], TakeBack)
            .WithSummary("Show a question again that one has set aside")
            .Audits("approval.brought_back");
    }

    private async Task<IResult> Decide(PageContext context, ConsoleForm form)
    {
        if (await finder.FindAsync(context) is not { } approval)
            return PageRefusals.NotFound;
        if (!ApprovalFinder.MayDecide(context.Caller, approval.Id))
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

    private async Task<IResult> PutAside(PageContext context, ConsoleForm form)
    {
        if (await finder.FindAsync(context) is not { } approval)
            return PageRefusals.NotFound;
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
                await ApprovalsAside.PutAsync(tx, approval.Project, context.Person, approval.Id)
                    ? context.Of("/approvals")
                    : new Refusal(
                        409,
                        $"You have set aside {ApprovalsAside.Most} questions: decide some of them.",
                        "too_many_aside"
                    )
        );
    }

    private async Task<IResult> TakeBack(PageContext context, ConsoleForm form)
    {
        if (await finder.FindAsync(context) is not { } approval)
            return PageRefusals.NotFound;
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                await ApprovalsAside.TakeBackAsync(tx, approval.Project, context.Person, approval.Id);
                return context.Of("/approvals", approval.Id);
            }
        );
    }

    private static Refusal Late(string how) => new(409, how + " Your answer was not taken.", "decision_conflict");
}
