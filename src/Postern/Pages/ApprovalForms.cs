using System.Globalization;
using System.Text.Json;
using Postern.Access;
using Postern.Approvals;
using Postern.Http;

namespace Postern.Pages;

/// <summary>The actions on a question: deciding it, and setting it aside, which decides nothing.</summary>
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
        if (!ReadDecision(context, form, approval).Try(out var decided, out var wrong))
            return wrong;
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
                OutcomeOf(context, approval, await decisions.DecideAsync(tx, approval.Project, approval.Id, decided))
        );
    }

    private static Checked<Decided> ReadDecision(PageContext context, ConsoleForm form, Approval approval)
    {
        if (!Offered.Contains(form["decision"], StringComparer.Ordinal))
            return Refusal.BadRequest("decision: press one of the buttons.", "invalid_form");
        if (form["comment"].Length > MaxComment)
            return Refusal.BadRequest($"comment has more than {MaxComment} characters.", "invalid_form");
        if (!ReadOption(form["option"], Choice.Of(approval.Options)).Try(out var chosen, out var none))
            return none;
        return new Decided(
            form["decision"],
            context.Authority.Credential,
            context.Authority.Actor,
            form.Text("comment"),
            chosen.Length == 0 ? null : chosen,
            approval.PayloadHash
        );
    }

    /// <summary>Returns the option as the agent gets it; empty when none was chosen.</summary>
    private static Checked<byte[]> ReadOption(string option, IReadOnlyList<Choice> choices)
    {
        if (option.Length == 0)
            return Array.Empty<byte>();
        if (
            !int.TryParse(option, NumberStyles.None, CultureInfo.InvariantCulture, out var place)
            || place >= choices.Count
        )
            return Refusal.BadRequest("option is none of those that are offered.", "invalid_form");
        return JsonSerializer.SerializeToUtf8Bytes(new { option = choices[place].Value }, Wire.Json);
    }

    private static FormOutcome OutcomeOf(PageContext context, Approval approval, DecideOutcome outcome) =>
        outcome switch
        {
            DecideOutcome.Processed or DecideOutcome.Already => context.Of("/approvals", approval.Id),
            DecideOutcome.Unknown => PageRefusals.NotFound,
            DecideOutcome.Conflict lost => Late($"It was decided before: {lost.Approval.Status}."),
            DecideOutcome.Expired => Late("It expired before."),
            DecideOutcome.Cancelled => Late("Its run ended before."),
            _ => Late("It asks something else by now."),
        };

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
