using System.Text.Json;
using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>
/// The actions on a session: sending a message, writing a note, stopping the turn, closing, changing tags and metadata.
/// </summary>
internal sealed class SessionForms(
    PageWriter writer,
    FormWrites writes,
    SessionFinder finder,
    SessionStore sessions,
    Transcript transcript,
    Conversation conversation,
    Appends appends
) : IPages
{
    private const int MaxSaid = 16_000;

    public void Map(PageDoors pages)
    {
        const string says = "write:sessions:{session}";
        const string admins = "admin:sessions:{session}";
        pages
            .Form("/sessions/{session}/say", says, ["text", SessionPages.BesideFilter], Say)
            .WithSummary("Say something in a session")
            .Audits("session.said");
        pages
            .Form("/sessions/{session}/note", says, ["note"], Note)
            .WithSummary("Write a note into a transcript")
            .Audits("session.noted");
        pages
            .Form("/sessions/{session}/stop", says, [SessionPages.BesideFilter], Stop)
            .WithSummary("Ask the turn to stop")
            .Audits("session.stop_asked");
        pages.Page("/sessions/{session}/close", admins, AskToClose).WithSummary("Whether to close a session");
        pages
            .Form("/sessions/{session}/close", admins, ["reason"], Close)
            .WithSummary("Close a session")
            .Audits("session.closed");
        pages
            .Form("/sessions/{session}/facts", admins, ["tags", "metadata"], Change)
            .WithSummary("Change a session's tags and metadata")
            .Audits("session.changed");
    }

    private async Task<IResult> Say(PageContext context, ConsoleForm form)
    {
        if (form.Text("text") is not { Length: <= MaxSaid } text)
            return Refusal.BadRequest($"text must have 1 to {MaxSaid} characters.", "invalid_form");
        return await AppendAsync(
            context,
            form,
            session => new
            {
                kind = "message",
                payload = new
                {
                    chatId = session.Name,
                    trigger = "submit-message",
                    message = new
                    {
                        id = "console-" + form.OnceText,
                        role = "user",
                        parts = new[] { new { type = "text", text } },
                    },
                },
            }
        );
    }

    /// <summary>
    /// A note is a message of the role system. It begins no turn; the agent reads it with the next one.
    /// </summary>
    private async Task<IResult> Note(PageContext context, ConsoleForm form)
    {
        if (form.Text("note") is not { Length: <= MaxSaid } text)
            return Refusal.BadRequest($"note must have 1 to {MaxSaid} characters.", "invalid_form");
        if (!(await finder.FindAsync(context, "write")).Try(out var session, out var refusal))
            return refusal;
        var note = new ChatMessage("system", ChatMessage.Write(json => ChatMessage.WriteText(json, text)));
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                if (await SessionStore.LockAsync(tx, session.Project, session.Id) is not { } locked)
                    return PageRefusals.NotFound;
                return (await transcript.AddAsync(tx, locked, note, null)).Try(out _, out var refused)
                    ? context.Of("/sessions", session.Id)
                    : refused;
            }
        );
    }

    private Task<IResult> Stop(PageContext context, ConsoleForm form) =>
        AppendAsync(context, form, _ => new { kind = "stop" });

    /// <summary>
    /// Appends to <c>in</c> as a client does. The form's mark is the part id, so the record is appended once.
    /// </summary>
    private async Task<IResult> AppendAsync(PageContext context, ConsoleForm form, Func<Session, object> make)
    {
        if (!(await finder.FindAsync(context, "write")).Try(out var session, out var refusal))
            return refusal;
        var json = JsonSerializer.SerializeToUtf8Bytes(make(session), Wire.Json);
        var part = "console-" + form.OnceText;
        var record = NewRecord.OfText(json, part, part, InEffect.Read(json, asUser: true));
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                await appends.AppendAsync(Conversation.NameOf(session), RecordStore.In, [record], Writer.Server)
                is AppendOutcome.Appended
                    ? context.Of("/sessions", session.Id) + (form["beside"] == "records" ? "?beside=records" : "")
                    : new Refusal(409, "The session takes nothing more: it is closed, expired or full.", "conflict")
        );
    }

    private async Task<IResult> AskToClose(PageContext context)
    {
        if (!(await finder.FindAsync(context, "admin")).Try(out var session, out var refusal))
            return refusal;
        var path = context.Of("/sessions", session.Id);
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Close a session",
                Text =
                    $"{session.Name} takes no more messages and cannot be opened again. Its live run ends. "
                    + "This cannot be undone.",
                Action = path + "/close",
                Button = "Close it now",
                Back = path,
                Section = "sessions",
                ReasonField = "reason",
                Curl = Curl.Send("POST", $"/api/v1/sessions/{session.Id}/close", "{}"),
            }
        );
    }

    private async Task<IResult> Close(PageContext context, ConsoleForm form)
    {
        if (!(await finder.FindAsync(context, "admin")).Try(out var session, out var refusal))
            return refusal;
        if (form["reason"].Length > 256)
            return Refusal.BadRequest("reason has at most 256 characters.", "invalid_form");
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                if (await SessionStore.LockAsync(tx, session.Project, session.Id) is not { } row)
                    return PageRefusals.NotFound;
                return await conversation.CloseAsync(tx, row, form.Text("reason"), null)
                    ? context.Of("/sessions", session.Id)
                    : new Refusal(409, "The session was closed before. Nothing was changed.", "session_closed");
            }
        );
    }

    private async Task<IResult> Change(PageContext context, ConsoleForm form)
    {
        if (!(await finder.FindAsync(context, "admin")).Try(out var session, out var refusal))
            return refusal;
        string[] tags =
        [
            .. form["tags"].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        ];
        if (tags.Length > 10 || tags.Any(t => t.Length > 128))
            return Refusal.BadRequest("tags are at most 10, of at most 128 characters, with commas.", "invalid_form");
        if (form.Text("metadata") is { } metadata && !IsObject(metadata))
            return Refusal.BadRequest("metadata must be a JSON object.", "invalid_form");
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                await sessions.ChangeAsync(
                    Conversation.NameOf(session),
                    s => s with { Tags = JsonSerializer.Serialize(tags, Wire.Json), Metadata = form.Text("metadata") }
                )
                    is null
                    ? PageRefusals.NotFound
                    : context.Of("/sessions", session.Id) + "?tab=facts"
        );
    }

    private static bool IsObject(string json)
    {
        try
        {
            using var parsed = JsonDocument.Parse(
                json,
                new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = Wire.MaxDepth }
            );
            return parsed.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
