using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Dispatch;
using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>The forms of the playground that begin a chat or a run.</summary>
internal sealed class PlaygroundForms(FormWrites writes, SessionStart sessions, RunCreation runs) : IPages
{
    public const int MaxSaid = 16_000;

    /// <summary>How the names of the playground's sessions begin.</summary>
    public const string Chats = "console:";

    public void Map(PageDoors pages)
    {
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

    private async Task<IResult> BeginChat(PageContext context, ConsoleForm form)
    {
        var caller = context.Caller;
        var agent = form["agent"].Trim();
        if (!caller.Allows("write", "sessions") && !caller.Allows("write", "tasks", agent))
            return ConsoleFamily.Instance.Forbidden("write:tasks:" + agent);
        if (form.Text("text") is not { Length: <= MaxSaid } text)
            return Refusal.BadRequest($"text must have 1 to {MaxSaid} characters.", "invalid_form");
        var name = Chats + form.OnceText;
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
}
