using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>What a client asked to start, checked. JSON members are kept as the text that came.</summary>
internal sealed record StartRequest(string Type, string? ExternalId, string Agent, string TriggerConfig, byte[] BasePayload, bool HasMessage, ChatMessage? Message, string? Tags, string? Metadata, long? ExpiresAt)
{
    public static (StartRequest? Request, Refusal? Refusal) Read(Fields fields, bool asUser)
    {
        var type = fields.Text("type", 1, 64, required: true);
        var externalId = fields.Text("externalId", 1, Session.MaxExternalId, trim: true);
        if (externalId is not null && Session.WhatIsWrongWith(externalId) is { } problem) fields.Fault("externalId", problem);
        var agent = fields.Text("taskIdentifier", 1, 128, required: true);
        var tags = fields.Texts("tags", 10, 128);
        var metadata = fields.ContentObject("metadata");
        var expiresAt = fields.Instant("expiresAt");
        var config = fields.ContentObject("triggerConfig", required: true);
        var payload = config is { } given ? ReadConfig(given, fields) : null;
        if (fields.Refusal() is { } wrong) return (null, wrong);
        var chat = payload!.Value;
        var hasMessage = chat.TryGetProperty("trigger", out var trigger) && trigger.ValueKind == JsonValueKind.String && trigger.GetString() is "submit-message" or "regenerate-message" or "action";
        return (new StartRequest(
            type!, externalId, agent!, config!.Value.GetRawText(), JsonSerializer.SerializeToUtf8Bytes(chat, Wire.Json),
            hasMessage, hasMessage ? ChatMessage.Read(chat, asUser) : null,
            tags is null ? null : JsonSerializer.Serialize(tags, Wire.Json), metadata?.GetRawText(), expiresAt), null);
    }

    private static JsonElement? ReadConfig(JsonElement config, Fields faults)
    {
        var fields = new Fields(config);
        var payload = fields.Object("basePayload", required: true);
        fields.Text("machine", 1, 64);
        fields.Text("queue", 1, 128);
        fields.Text("lockToVersion", 1, 128);
        fields.Text("region", 1, 128);
        fields.Texts("tags", 10, 128);
        fields.Whole("maxAttempts", 1, 10);
        fields.Whole("maxDuration", 1, long.MaxValue);
        fields.Whole("idleTimeoutInSeconds", 1, 3600);
        fields.Text("concurrencyKey", 1, 256);
        foreach (var (field, problem) in fields.Faults) faults.Fault("triggerConfig." + field, problem);
        return payload;
    }
}

/// <summary>Starts sessions: the row and its first run in one transaction, and the same answer to any number of callers at once.</summary>
internal sealed class SessionStart(Database database, SessionStore sessions, Conversation conversation, Transcript transcript, SessionEvents events)
{
    /// <summary>The session, its live run and whether this call made it; or the refusal, and then nothing is written.</summary>
    public async Task<(Session? Session, string? RunId, bool IsNew, Refusal? Refusal)> StartAsync(ProjectCaller caller, StartRequest asked)
    {
        var id = Id.New(Session.Prefix, database.Now);
        var answer = await database.WriteAsync(async tx =>
        {
            if (await AgentStore.FindAsync(tx, caller.Project, asked.Agent) is null)
                return (null, null, false, new Refusal(422, $"There is no agent {asked.Agent}; register it with PUT /api/v1/agents/{asked.Agent}", "unknown_agent") { ShouldRetry = false });
            var fresh = New(tx, caller.Project, id, asked);
            return await SessionStore.InsertAsync(tx, fresh)
                ? await BeginAsync(tx, fresh, asked)
                : await ContinueAsync(tx, caller, asked);
        });
        if (answer.Session is { } session) sessions.Keep(session);
        return answer;
    }

    /// <summary>Whether an agent is registered: no session is made without one.</summary>
    public static async ValueTask<bool> HasAgentAsync(Tx tx, string project, string agent) => await AgentStore.FindAsync(tx, project, agent) is not null;

    /// <summary>A session that a message creates under a history key, without a run.</summary>
    public static Session New(Tx tx, string project, string id, string? externalId, string agent, string type) => new(
        project, id, externalId, Session.KeyOf(agent, externalId ?? id), type, agent, null, "[]", null,
        tx.Now, tx.Now, null, null, null, null, 1, 0, 0, 1, -1, -1, -1, false, null, null, 0, -1, 0);

    private static Session New(Tx tx, string project, string id, StartRequest asked) =>
        New(tx, project, id, asked.ExternalId, asked.Agent, asked.Type) with { TriggerConfig = asked.TriggerConfig, Tags = asked.Tags ?? "[]", Metadata = asked.Metadata, ExpiresAt = asked.ExpiresAt };

    private async ValueTask<(Session? Session, string? RunId, bool IsNew, Refusal? Refusal)> BeginAsync(Tx tx, Session session, StartRequest asked)
    {
        await events.CreatedAsync(tx, session);
        if (asked.Message is { OnlyMerges: false })
        {
            await transcript.InsertAsync(tx, session.Project, session.Id, session.MessageNext, asked.Message, null);
            await tx.ExecuteAsync("UPDATE session SET message_next = message_next + 1 WHERE project = $1 AND id = $2", session.Project, session.Id);
        }
        var run = await conversation.StartRunAsync(tx, session, asked.BasePayload, asked.HasMessage);
        return (await SessionStore.LockAsync(tx, session.Project, session.Id), run, true, null);
    }

    private async ValueTask<(Session? Session, string? RunId, bool IsNew, Refusal? Refusal)> ContinueAsync(Tx tx, ProjectCaller caller, StartRequest asked)
    {
        if (asked.ExternalId is null || await SessionStore.FindAsync(tx, caller.Project, asked.ExternalId) is not { } found || await SessionStore.LockAsync(tx, caller.Project, found.Id) is not { } stored)
            return (null, null, false, new Refusal(409, "Another session has this key", "key_taken") { ShouldRetry = false });
        // The right that the body names is not the right to the row that is there.
        if (!caller.Allows("write", "tasks", stored.Agent) && !caller.Allows("write", "sessions", stored.Id, stored.ExternalId))
            return (null, null, false, caller.Allows("read", "sessions", stored.Id, stored.ExternalId) ? SessionFamily.Instance.Forbidden($"write:sessions:{stored.Name}") : SessionFamily.NotFound);
        if (stored.IsClosed) return (null, null, false, new Refusal(409, "The session is closed", "session_closed") { Extra = [("closedReason", stored.ClosedReason)], ShouldRetry = false });
        if (stored.IsExpired(tx.Now)) return (null, null, false, new Refusal(409, "The session has expired", "session_expired") { ShouldRetry = false });
        await SessionStore.WriteThroughAsync(tx, stored, asked.TriggerConfig, asked.Tags, asked.Metadata, asked.ExpiresAt);
        var run = stored.CurrentRun ?? await conversation.StartRunAsync(tx, stored, null, bootMessage: false);
        if (run is null) return (null, null, false, new Refusal(422, $"There is no agent {stored.Agent}", "unknown_agent") { ShouldRetry = false });
        return (await SessionStore.LockAsync(tx, stored.Project, stored.Id), run, false, null);
    }
}

/// <summary>The tokens that sessions hand to their clients: for one session, an hour, and never wider than who asked.</summary>
internal sealed class SessionTokens(Tokens tokens, Database database)
{
    private const long Hour = 3_600_000_000;

    /// <summary>For who started the session: bounded as everything derived is. Null: nothing is derived from that credential.</summary>
    public ValueTask<string?> ForCreatorAsync(ProjectCaller caller, Session session) => DeriveAsync(caller, session.Project, session.Id, session.ExternalId);

    /// <summary>
    /// For a reader of <c>out</c> whose turn has completed: what it may do with the session already, for another hour at most, and no longer than it
    /// could have done it anyway. Null: it may not write, or nothing is derived from its credential.
    /// </summary>
    public async ValueTask<string?> RefreshAsync(ProjectCaller caller, SessionName name) =>
        caller.Authority.Lineage is not null && caller.Authority.Allows(new Need("write", "sessions", name.Id, name.ExternalId)) ? await DeriveAsync(caller, name.Project, name.Id, name.ExternalId) : null;

    /// <summary>The token of a run: its session's channels and the run itself, for one attempt.</summary>
    public ValueTask<string> ForRunAsync(Run run, SessionName? session, long expiresAt)
    {
        List<string> scopes = [$"write:runs:{run.Id}", $"read:runs:{run.Id}"];
        if (session is not null) scopes.AddRange([$"read:sessions:{session.Id}", $"write:sessions:{session.Id}"]);
        return tokens.MintForWorkerAsync(run.Project, new Worker(run.Id, run.Attempt, session?.Id), scopes, expiresAt);
    }

    private ValueTask<string?> DeriveAsync(ProjectCaller caller, string project, string id, string? externalId)
    {
        // Internal sessions are for administrators, which no token of theirs would be: it would open nothing.
        if (externalId is not null && Session.IsInternal(externalId)) return new((string?)null);
        var scopes = new List<string>(2);
        if (caller.Authority.Allows(new Need("read", "sessions", id, externalId))) scopes.Add("read:sessions:" + (externalId ?? id));
        scopes.Add("write:sessions:" + (externalId ?? id));
        return tokens.DeriveAsync(caller.Authority, project, scopes, database.Now + Hour);
    }
}
