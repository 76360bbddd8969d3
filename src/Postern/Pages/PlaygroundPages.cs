using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Access;
using Postern.Agents;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>Things that are tried out: a chat, a run, a webhook as its sender would send it.</summary>
internal sealed class PlaygroundPages(
    PageWriter writer,
    FormWrites writes,
    TriggerStore triggers,
    CaptureStore captures,
    AgentStore agents,
    WorkflowStore workflows,
    SessionStart sessions,
    RunCreation runs,
    TestSender sender
) : IPages
{
    public const int MaxSaid = 16_000;
    private const int MostNames = 200;
    private static readonly string[] Names = ["tab", "trigger", "from", "sent", "capture"];

    public void Map(PageDoors pages)
    {
        pages.Page("/playground", "any", Show).WithSummary("Where things are tried out");
        pages
            .Form(
                "/playground/webhook",
                "write:triggers:{trigger}",
                ["trigger", "body", "headers", "way"],
                SendWebhook,
                ConsoleForm.PlaygroundBytes
            )
            .WithSummary("Send a test to a trigger's URL")
            .Audits("trigger.tested");
        pages
            .Form("/triggers/{kind}/{owner}/{trigger}/example", "write:triggers:{trigger}", ["way"], SendExample)
            .WithSummary("Send an example to a trigger's URL")
            .Audits("trigger.tested");
        pages
            .Form("/playground/chat", "write:sessions or write:tasks:{agent}", ["agent", "text"], BeginChat)
            .WithSummary("Begin a session of the playground")
            .Audits("session.started");
        pages
            .Form(
                "/playground/run",
                "write:runs or trigger:tasks:{agent}",
                ["agent", "workflow", "input"],
                StartRun,
                ConsoleForm.PlaygroundBytes
            )
            .WithSummary("Start a run of the playground")
            .Audits("run.created");
    }

    private async Task<IResult> Show(PageContext context)
    {
        context.Caller.DecidedByHandler();
        if (!PageFilters.Read(context.Http, Names).Try(out var asked, out var wrong))
            return wrong;
        string[] tabs =
        [
            .. Allowed(
                context,
                PlaygroundModel.Chat,
                context.MaySome("write", "sessions") || context.MaySome("write", "tasks")
            ),
            .. Allowed(
                context,
                PlaygroundModel.Run,
                context.MaySome("write", "runs") || context.MaySome("trigger", "tasks")
            ),
            .. Allowed(context, PlaygroundModel.Webhook, context.MaySome("write", "triggers")),
        ];
        var tab = asked["tab"] is { Length: > 0 } named ? named : tabs.FirstOrDefault() ?? "";
        if (tab.Length > 0 && !tabs.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad("tab is none of " + string.Join(", ", tabs));
        var model = new PlaygroundModel { Tab = tab, Tabs = tabs };
        if (tab == PlaygroundModel.Webhook)
            return await ShowWebhookAsync(context, model, asked);
        return await writer.PageAsync<PlaygroundPage, PlaygroundModel>(
            context,
            model with
            {
                Agents = context.MayList("tasks")
                    ? [.. (await agents.ListAsync(context.Project, "", MostNames)).Select(a => a.Slug)]
                    : [],
                Workflows =
                    tab == PlaygroundModel.Run && context.MayList("runs")
                        ? [.. (await workflows.ListAsync(context.Project, "", MostNames)).Select(w => w.Name)]
                        : [],
            }
        );

        static string[] Allowed(PageContext context, string tab, bool may) => may ? [tab] : [];
    }

    private async Task<IResult> ShowWebhookAsync(PageContext context, PlaygroundModel model, PageFilters asked)
    {
        Trigger[] known = context.MayList("triggers")
            ? [.. (await triggers.ListAsync(context.Project, "", MostNames)).Where(t => t.Mode == Trigger.Webhook)]
            : [];
        model = model with { Triggers = [.. known.Select(t => t.Name.Scope)] };
        var trigger = asked["trigger"] is { Length: > 0 } scope
            ? await FindAsync(context, scope)
            : known.FirstOrDefault();
        if (trigger is null)
            return asked["trigger"].Length > 0
                ? PageRefusals.NotFound
                : await writer.PageAsync<PlaygroundPage, PlaygroundModel>(context, model);
        var example = WebhookExample.Of(trigger.AuthScheme, Guid.NewGuid().ToString("N"));
        if (asked["from"] is { Length: > 0 } from)
        {
            var capture =
                from == "last"
                    ? (
                        await captures.ListAsync(trigger.Project, trigger.Uid, null, long.MaxValue, "", 1)
                    ).FirstOrDefault()
                    : await captures.FindAsync(trigger.Project, trigger.Uid, from);
            if (capture is null && from != "last")
                return PageRefusals.NotFound;
            if (capture is { Method.Length: > 0 })
                example = WebhookExample.Of(capture);
        }
        return await writer.PageAsync<PlaygroundPage, PlaygroundModel>(
            context,
            model with
            {
                Trigger = trigger,
                Example = example,
                Sent = TestSent.StatusesOf(asked["sent"]),
                Capture = asked["capture"] is { Length: > 0 } id
                    ? await captures.FindAsync(trigger.Project, trigger.Uid, id)
                    : null,
            }
        );
    }

    private async Task<IResult> SendWebhook(PageContext context, ConsoleForm form)
    {
        if (
            !(await FindToSendAsync(context, TriggerName.OfScope(form["trigger"]))).Try(
                out var trigger,
                out var refusal
            )
        )
            return refusal;
        if (!TestHeaders.Read(form["headers"]).Try(out var headers, out var wrong))
            return wrong;
        return await SendAsync(
            context,
            form,
            trigger,
            new WebhookExample(form["body"], headers),
            context.Of("/playground?tab=webhook&trigger=" + Uri.EscapeDataString(trigger.Name.Scope)) + "&"
        );
    }

    private async Task<IResult> SendExample(PageContext context, ConsoleForm form)
    {
        const int first = 2;
        var name = TriggerName.OfPath(
            RequestPath.Segment(context.Http, first),
            RequestPath.Segment(context.Http, first + 1),
            RequestPath.Segment(context.Http, first + 2)
        );
        if (!(await FindToSendAsync(context, name)).Try(out var trigger, out var refusal))
            return refusal;
        return await SendAsync(
            context,
            form,
            trigger,
            WebhookExample.Of(trigger.AuthScheme, form.OnceText.Replace("_", "-", StringComparison.Ordinal)),
            TriggerPaths.Of(context, trigger.Name) + "?"
        );
    }

    private async Task<IResult> SendAsync(
        PageContext context,
        ConsoleForm form,
        Trigger trigger,
        WebhookExample example,
        string leadsTo
    )
    {
        var way = form.Text("way") ?? TestSender.Right;
        if (!TestSender.Ways.Contains(way, StringComparer.Ordinal))
            return Refusal.BadRequest("way is none of " + string.Join(", ", TestSender.Ways) + ".", "invalid_form");
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await sender.SendAsync(context.Caller, trigger, example, way, context.Http.RequestAborted)).Try(
                    out var sent,
                    out var refused
                )
                    ? leadsTo + sent.Query
                    : refused
        );
    }

    private async Task<IResult> BeginChat(PageContext context, ConsoleForm form)
    {
        var caller = context.Caller;
        var agent = form["agent"].Trim();
        if (!caller.Allows("write", "sessions") && !caller.Allows("write", "tasks", agent))
            return ConsoleFamily.Instance.Forbidden("write:tasks:" + agent);
        if (form.Text("text") is not { Length: <= MaxSaid } text)
            return Refusal.BadRequest($"text must have 1 to {MaxSaid} characters.", "invalid_form");
        var name = "console:" + form.OnceText;
        var body = JsonSerializer.SerializeToElement(
            new
            {
                type = "chat",
                externalId = name,
                taskIdentifier = agent,
                tags = new[] { "console" },
                triggerConfig = new
                {
                    basePayload = new
                    {
                        chatId = name,
                        trigger = "submit-message",
                        message = new
                        {
                            id = "console-" + form.OnceText,
                            role = "user",
                            parts = new[] { new { type = "text", text } },
                        },
                    },
                },
            },
            Wire.Json
        );
        if (!StartRequest.Read(new Fields(body), asUser: true).Try(out var asked, out var wrong))
            return wrong;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await sessions.StartAsync(caller, asked)).Try(out var begun, out var refused)
                    ? context.Of("/sessions", begun.Session.Id)
                    : refused
        );
    }

    private async Task<IResult> StartRun(PageContext context, ConsoleForm form)
    {
        var caller = context.Caller;
        var agent = form["agent"].Trim();
        if (!caller.Allows("write", "runs") && !caller.Allows("trigger", "tasks", agent))
            return ConsoleFamily.Instance.Forbidden("write:runs");
        var body = new JsonObject { ["agent"] = agent };
        if (form.Text("workflow") is { } workflow)
            body["workflow"] = workflow.Trim();
        if (form.Text("input") is { } input)
        {
            try
            {
                body["input"] = JsonNode.Parse(
                    input,
                    documentOptions: new JsonDocumentOptions
                    {
                        AllowDuplicateProperties = false,
                        MaxDepth = Wire.MaxDepth - 1,
                    }
                );
            }
            catch (JsonException)
            {
                return Refusal.BadRequest("input is no JSON.", "invalid_form");
            }
        }
        var fields = new Fields(JsonSerializer.SerializeToElement(body, Wire.Json));
        if (!(await runs.CheckAsync(fields.Read<CreateRun>(), fields, context.Http)).Try(out var asked, out var wrong))
            return wrong;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await runs.CreateAsync(caller, asked)).Try(out var made, out var refused)
                    ? context.Of("/runs", made.Id)
                    : refused
        );
    }

    /// <summary>A trigger by its name in scopes; null where there is none for whoever is signed in.</summary>
    private async ValueTask<Trigger?> FindAsync(PageContext context, string scope) =>
        TriggerName.OfScope(scope) is { } name && context.Caller.Allows("read", "triggers", name.Scope)
            ? await triggers.FindAsync(context.Project, name)
            : null;

    private async ValueTask<Checked<Trigger>> FindToSendAsync(PageContext context, TriggerName? name)
    {
        var caller = context.Caller;
        caller.DecidedByHandler();
        if (name is null)
            return PageRefusals.NotFound;
        if (!caller.Allows("write", "triggers", name.Scope))
            return PageRefusals.Denied(caller, "write", "triggers", name.Scope);
        return await triggers.FindAsync(caller.Project, name) is { } trigger ? trigger : PageRefusals.NotFound;
    }
}
