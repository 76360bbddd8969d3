using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// The sessions: the list, one session's transcript, records, runs and facts, and what is done to it.
/// </summary>
internal sealed class SessionPages(
    PageWriter writer,
    FormWrites writes,
    SessionStore sessions,
    SessionDoor door,
    Transcript transcript,
    RecordStore records,
    RunStore runs,
    Conversation conversation,
    Appends appends,
    PageStreams streams,
    StreamRegistry registry,
    Tails tails,
    Database database
) : IPages
{
    private const int SessionSegment = 2;
    private const int MaxSaid = 16_000;
    private const int MessagesOfPage = 100;
    private const int RecordsOfPage = 100;
    private const int RunsOfPage = 50;
    private static readonly string[] Filters =
    [
        "status",
        "agent",
        "tag",
        "type",
        "name",
        "from",
        "to",
        "older",
        "text",
    ];
    private static readonly string[] Tabs = ["transcript", "records", "runs", "facts"];

    public void Map(PageDoors pages)
    {
        const string reads = "read:sessions:{session}";
        const string says = "write:sessions:{session}";
        const string admins = "admin:sessions:{session}";
        pages.Page("/sessions", "read:sessions or read:tasks", List).WithSummary("The sessions");
        pages.Page("/sessions/{session}", reads, Show).WithSummary("One session");
        pages.Stream("/sessions/{session}/live", reads, Follow).WithSummary("A session, as it goes on");
        pages
            .Form("/sessions/{session}/say", says, ["text"], Say)
            .WithSummary("Say something in a session")
            .Audits("session.said");
        pages
            .Form("/sessions/{session}/note", says, ["note"], Note)
            .WithSummary("Write a note into a transcript")
            .Audits("session.noted");
        pages
            .Form("/sessions/{session}/stop", says, [], Stop)
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

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Filters).Try(out var filters, out var wrong))
            return wrong;
        var agents = filters.List("agent");
        var allowed =
            context.Caller.Allows("read", "sessions")
            || context.Caller.Allows("read", "tasks")
            || (agents.Count > 0 && agents.All(agent => context.Caller.Allows("read", "tasks", agent)));
        if (!allowed)
            return ConsoleFamily.Instance.Forbidden("read:sessions");
        if (
            filters.List("status").FirstOrDefault(s => s is not ("ACTIVE" or "CLOSED" or "EXPIRED" or "IDLE")) is
            { } word
        )
            return PageFilters.Bad($"status: {word} is no status");
        if (!TryInstant(filters["from"], out var from) || !TryInstant(filters["to"], out var to))
            return PageFilters.Bad("from and to are instants in ISO 8601, such as 2026-01-31");
        if (!filters.TryOlder(context.Now, out var older))
            return PageFilters.Bad(PageFilters.OlderIsNone);
        var filter = new SessionFilter(
            filters.List("type"),
            filters.List("tag"),
            agents,
            filters.List("name"),
            filters.List("status"),
            from,
            older < (to ?? long.MaxValue) ? older : to,
            filters.After,
            null,
            context.MayAdmin
        )
        {
            Text = filters.Text("text"),
        };
        var found = await sessions.ListAsync(context.Project, filter, filters.Size, context.Http.RequestAborted);
        return await writer.PageAsync<SessionsPage, SessionsModel>(context, new SessionsModel(found, filters));
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await FindAsync(context, "read")).Try(out var session, out var refusal))
            return refusal;
        var query = context.Http.Request.Query;
        var tab = query["tab"].ToString() is { Length: > 0 } asked ? asked : Tabs[0];
        if (!Tabs.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad("tab is none of " + string.Join(", ", Tabs));
        var at = long.MaxValue;
        if (query["at"].ToString() is { Length: > 0 } text && (!long.TryParse(text, out at) || at < 1))
            return PageFilters.Bad("at is a number from 1");
        var model = new SessionModel { Session = session, Tab = tab };
        if (query["text"].ToString().Trim() is { Length: > 0 } sought)
        {
            if (sought.Length > PageFilters.MaxValue)
                return PageFilters.Bad($"text has more than {PageFilters.MaxValue} characters");
            var found = await TranscriptSearch.FindAsync(context, transcript, session, sought, at);
            return await writer.PageAsync<SessionPage, SessionModel>(context, model with { Found = found });
        }
        var name = Conversation.NameOf(session);
        switch (tab)
        {
            case "transcript":
                model = await WithMessagesAsync(model, at);
                break;
            case "records":
                var channel = query["channel"].ToString() is { Length: > 0 } other ? other : RecordStore.Out;
                if (channel.Length > 128)
                    return PageFilters.Bad("channel has at most 128 characters");
                var after =
                    at == long.MaxValue ? Math.Max(-1, await LastOfAsync(name, channel) - RecordsOfPage) : at - 1;
                model = model with
                {
                    Channel = channel,
                    Records = await records.AfterAsync(name, channel, after, RecordsOfPage),
                };
                break;
            case "runs" when context.Caller.Allows("read", "runs"):
                model = model with { Runs = await RunsOfAsync(context, session) };
                break;
        }
        return await writer.PageAsync<SessionPage, SessionModel>(context, model);
    }

    private async Task<IResult> Follow(PageContext context)
    {
        return !(await FindAsync(context, "read")).Try(out var session, out var refusal)
            ? refusal
            : new TranscriptLive(
                writer,
                streams,
                database,
                transcript,
                registry,
                tails,
                context.Caller,
                Conversation.NameOf(session),
                context.ResumeAfter
            );
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
    /// A message of the role <c>system</c>, which begins no turn: the agent reads it with the next one.
    /// </summary>
    private async Task<IResult> Note(PageContext context, ConsoleForm form)
    {
        if (form.Text("note") is not { Length: <= MaxSaid } text)
            return Refusal.BadRequest($"note must have 1 to {MaxSaid} characters.", "invalid_form");
        if (!(await FindAsync(context, "write")).Try(out var session, out var refusal))
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

    /// <summary>Appends to <c>in</c> as a client does; the form's name is the part's, so it is there once.</summary>
    private async Task<IResult> AppendAsync(PageContext context, ConsoleForm form, Func<Session, object> make)
    {
        if (!(await FindAsync(context, "write")).Try(out var session, out var refusal))
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
                    ? context.Of("/sessions", session.Id)
                    : new Refusal(409, "The session takes nothing more: it is closed, expired or full.", "conflict")
        );
    }

    private async Task<SessionModel> WithMessagesAsync(SessionModel model, long at)
    {
        var session = model.Session;
        // One more in front says whether there are older ones.
        var before = at == long.MaxValue ? long.MaxValue : at + (MessagesOfPage / 2);
        var messages = await transcript.BeforeAsync(session.Project, session.Id, before, MessagesOfPage + 1);
        return model with
        {
            Messages = [.. messages.Take(MessagesOfPage).Reverse()],
            HasOlder = messages.Count > MessagesOfPage,
        };
    }

    private async ValueTask<long> LastOfAsync(SessionRef name, string channel) =>
        (await records.TailAsync(name, channel)).Next - 1;

    private async ValueTask<IReadOnlyList<Run>> RunsOfAsync(PageContext context, Session session)
    {
        var filter = new RunFilter(
            [],
            [],
            [],
            [session.Id],
            [],
            [],
            null,
            null,
            null,
            context.MayAdmin ? null : SessionStore.IsNotOfInternal("run")
        );
        return (await runs.ListAsync(session.Project, filter, RunsOfPage, context.Http.RequestAborted)).Rows;
    }

    private async Task<IResult> AskToClose(PageContext context)
    {
        if (!(await FindAsync(context, "admin")).Try(out var session, out var refusal))
            return refusal;
        var path = context.Of("/sessions", session.Id);
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Close a session",
                Text =
                    $"{session.Name} takes no message afterwards and never opens again; its live run ends. "
                    + "That cannot be undone.",
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
        if (!(await FindAsync(context, "admin")).Try(out var session, out var refusal))
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
                await conversation.CloseAsync(tx, row, form.Text("reason"), null);
                return context.Of("/sessions", session.Id);
            }
        );
    }

    private async Task<IResult> Change(PageContext context, ConsoleForm form)
    {
        if (!(await FindAsync(context, "admin")).Try(out var session, out var refusal))
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
                await sessions.PatchAsync(
                    Conversation.NameOf(session),
                    JsonSerializer.Serialize(tags, Wire.Json),
                    true,
                    form.Text("metadata")
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

    private static bool TryInstant(string text, out long? instant)
    {
        instant = null;
        if (text.Length == 0)
            return true;
        if (!Wire.TryParseInstant(text, out var parsed))
            return false;
        instant = parsed;
        return true;
    }

    private async ValueTask<Checked<Session>> FindAsync(PageContext context, string action)
    {
        if (
            (await door.FindAsync(context.Http, context.Caller, SessionSegment, action)).Try(
                out var session,
                out var refusal
            )
        )
            return session;
        return refusal.Status == 403
            ? ConsoleFamily.Instance.Forbidden($"{action}:sessions:{RequestPath.Segment(context.Http, SessionSegment)}")
            : PageRefusals.NotFound;
    }
}
