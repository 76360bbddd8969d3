using System.Globalization;
using Postern.Access;
using Postern.Agents;
using Postern.Approvals;
using Postern.Http;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>
/// The playground's decision: a real question of a run that the console holds, and a decision of an approval service
/// about it, signed rightly or wrongly. The right to sign is the right to change the service's secret, and only
/// questions that were asked here are signed for.
/// </summary>
internal sealed class DecisionPages(
    PageWriter writer,
    FormWrites writes,
    HeldQuestion questions,
    DecisionSender sender,
    ApprovalServices services,
    ApprovalEvents events,
    AgentStore agents
) : IPages
{
    private const int MostNames = 200;
    private const int MaxFeedback = 4000;
    private const decimal Minute = 1m / 60;
    private const int Hours = 72;
    public const string Path = "/playground/decision";

    /// <summary>The decisions that an approval service sends.</summary>
    public static readonly string[] Decisions =
    [
        Decision.Approved,
        Decision.RequestChanges,
        Decision.Rejected,
        Decision.Expired,
    ];

    public void Map(PageDoors pages)
    {
        pages.Page(Path, Authorization.Needs("write", "runs"), Show).WithSummary("Where decisions are tried out");
        pages
            .Form(
                Path + "/ask",
                Authorization.Needs("write", "runs"),
                ["agent", "service", "title", "expires", "reject"],
                Ask
            )
            .WithSummary("Ask a question of a run that the console holds")
            .Audits("approval.tested");
        pages
            .Form(Path + "/send", Authorization.Admin, ["approval", "decision", "feedback", "form", "way"], Send)
            .WithSummary("Send an approval service's decision about such a question")
            .Audits("decision.tested");
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!PageFilters.Read(context.Http, "approval", "sent").Try(out var asked, out var wrong))
            return wrong;
        Approval? question = null;
        if (asked["approval"] is { Length: > 0 } id)
        {
            question = await FindAsync(context, id);
            if (question is null)
                return PageRefusals.NotFound;
        }
        var isDecided = question is { IsPending: false };
        var model = new DecisionModel
        {
            Agents = question is null ? await AgentsAsync(context) : [],
            Services = ServicesOf(context),
            Asked = question,
            IsOpen = question is { IsPending: true } && !question.IsOverdue(context.Now),
            HasService = question is not null && services.Find(context.Project, question.Service) is not null,
            Sent = TestSent.StatusesOf(asked["sent"]),
            Status = question is null ? "" : Visible.Payload(ApprovalJson.Status(question, null)) ?? "",
            Delivery = isDecided ? Visible.Payload(events.Body(question!.DecidedAt ?? context.Now, question)) : null,
        };
        return await writer.PageAsync<DecisionPage, DecisionModel>(context, model);
    }

    private async Task<IResult> Ask(PageContext context, ConsoleForm form)
    {
        var (agent, service) = (form["agent"].Trim(), form["service"].Trim());
        // An agent that this server calls would be told of a run that it never got.
        if (await agents.FindAsync(context.Project, agent) is not { } found)
            return Refusal.BadRequest("agent is none that is registered.", "invalid_form");
        if (found.Kind == Agent.Http)
            return Refusal.BadRequest("agent is one that is called, and would be told of it.", "invalid_form");
        if (form["expires"] is not ("minute" or "days"))
            return Refusal.BadRequest("expires is minute or days.", "invalid_form");
        var question = new
        {
            title = form.Text("title"),
            service = service.Length == 0 ? ApprovalServices.Default : service,
            on_reject = form.Text("reject") ?? Approval.Cancel,
            expires_in_hours = form["expires"] == "minute" ? Minute : Hours,
            description = "Asked in the playground of the console: nothing is done because of the answer.",
            payload = new { playground = true },
        };
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await questions.AskAsync(context, agent, question)).Try(out var asked, out var refused)
                    ? context.Of(Path) + "?approval=" + Uri.EscapeDataString(asked.Id)
                    : refused
        );
    }

    private async Task<IResult> Send(PageContext context, ConsoleForm form)
    {
        if (await FindAsync(context, form["approval"]) is not { } asked)
            return PageRefusals.NotFound;
        if (!Decisions.Contains(form["decision"], StringComparer.Ordinal))
            return Refusal.BadRequest("decision is none of " + string.Join(", ", Decisions) + ".", "invalid_form");
        if (!SignatureForm.All.Contains(form["form"], StringComparer.Ordinal))
            return Refusal.BadRequest("form is none of " + string.Join(", ", SignatureForm.All) + ".", "invalid_form");
        if (!TestSender.Ways.Contains(form["way"], StringComparer.Ordinal))
            return Refusal.BadRequest("way is none of " + string.Join(", ", TestSender.Ways) + ".", "invalid_form");
        if (form["feedback"].Length > MaxFeedback)
            return Refusal.BadRequest($"feedback has more than {MaxFeedback} characters.", "invalid_form");
        var decision = new TestDecision(form["decision"], form.Text("feedback"), form["form"], form["way"]);
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await sender.SendAsync(context.Caller, asked, decision, context.Http.RequestAborted)).Try(
                    out var answers,
                    out var refused
                )
                    ? $"{context.Of(Path)}?approval={Uri.EscapeDataString(asked.Id)}&sent={StatusesOf(answers)}"
                    : refused
        );
    }

    private static string StatusesOf(IReadOnlyList<int> answers) =>
        string.Join(',', answers.Select(a => a.ToString(CultureInfo.InvariantCulture)));

    /// <summary>
    /// Finds a question that was asked here, for the person who asked it and for people who may read it.
    /// </summary>
    private async ValueTask<Approval?> FindAsync(PageContext context, string id) =>
        await questions.FindAsync(context.Project, id) is { } asked
        && (asked.AskedBy == context.Authority.Actor || context.Caller.Allows("read", "approvals", id))
            ? asked
            : null;

    private async ValueTask<IReadOnlyList<string>> AgentsAsync(PageContext context) =>
        context.MayList("tasks")
            ?
            [
                .. (await agents.ListAsync(context.Project, "", MostNames))
                    .Where(a => a.Kind != Agent.Http)
                    .Select(a => a.Slug),
            ]
            : [];

    private string[] ServicesOf(PageContext context)
    {
        var known = context.MayAdmin ? services.Of(context.Project).Select(s => s.Name) : [];
        return [.. known.Append(ApprovalServices.Default).Distinct(StringComparer.Ordinal)];
    }
}
