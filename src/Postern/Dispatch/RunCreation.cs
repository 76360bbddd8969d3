using System.Security.Cryptography;
using System.Text;
using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Starts runs over HTTP. The run, its first event, and that it is due are one transaction. A repeat with the same
/// idempotency key gets the first answer. Of several at once, one starts the run and the others wait for its commit.
/// </summary>
internal sealed class RunCreation(
    Database database,
    RunMachine machine,
    RunCallbacks callbacks,
    Conversation conversation,
    OutboundGuard outbound,
    PosternOptions options
)
{
    /// <param name="Answer">The run as it was made, JSON; the same for every repeat.</param>
    /// <param name="Secret">The callback's secret, when it was made here: shown once.</param>
    /// <param name="Replayed">It had been made by an earlier request.</param>
    internal sealed record Made(string Id, byte[] Answer, string? Secret, bool Replayed);

    /// <summary>Checks a request as a whole.</summary>
    /// <param name="asked">The request.</param>
    /// <param name="fields">The body that it was read from.</param>
    /// <param name="http">The request's headers.</param>
    public async ValueTask<Checked<StartRun>> CheckAsync(CreateRun asked, Fields fields, HttpContext http)
    {
        var key = KeyOf(asked, fields, http.Request.Headers);
        var secret = asked.Callback is { } callback ? await CheckCallbackAsync(callback, fields, http) : null;
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(ReportDigest.FormOf(fields.Root)));
        return fields.Refusal() is { } wrong ? wrong : new StartRun(asked, key, secret, digest);
    }

    private static string? KeyOf(CreateRun asked, Fields fields, IHeaderDictionary headers)
    {
        if (!headers.TryGetValue("Idempotency-Key", out var header))
            return asked.IdempotencyKey;
        // Two of them would be one text that neither sender wrote.
        var text = header is [{ } only] ? only : "";
        if (text.Length is 0 or > CreateRun.MaxKey || !Wire.IsVisible(text))
            fields.Fault("Idempotency-Key", $"must be one text of 1 to {CreateRun.MaxKey} characters of ASCII");
        else if (asked.IdempotencyKey is { } key && key != text)
            fields.Fault("idempotencyKey", "and the header Idempotency-Key disagree");
        return text;
    }

    /// <summary>Returns the secret that signs the callback: the caller's, or a new one.</summary>
    private async ValueTask<string> CheckCallbackAsync(CreateRunCallback callback, Fields fields, HttpContext http)
    {
        if (callback.Secret is { } given && !SigningSecret.IsOne(given))
            fields.Fault("callback.secret", SigningSecret.Authorization);
        // A member with a fault of its own was not read.
        if (callback.Url is { } url && await outbound.ValidateAsync(http, url) is { } problem)
            fields.Fault("callback.url", problem);
        return callback.Secret ?? SigningSecret.New();
    }

    public Task<Checked<Made>> CreateAsync(ProjectCaller caller, StartRun asked)
    {
        var id = Id.New(Run.Prefix, database.Now);
        var by = new Actor(caller.Authority.Credential, caller.Authority.LoggedActor);
        return database.WriteAsync<Checked<Made>>(async tx =>
        {
            var name = asked.IdempotencyKey is { } key ? NameOf(caller, key) : null;
            if (name is not null)
            {
                // Version 0.3.0 stored only the key, for all callers together.
                if (
                    caller.Authority.Worker is null
                    && await RepeatAsync(tx, caller.Project, "start " + asked.IdempotencyKey, asked.Digest, caller)
                        is { } older
                )
                    return older;
                // Inserting the row claims the key. A second request waits here for the first one's commit, and then
                // finds its answer.
                if (!await RunRequests.ClaimAsync(tx, caller.Project, name, id, asked.Digest))
                    return await RepeatAsync(tx, caller.Project, name, asked.Digest, null)
                        ?? new Refusal(409, "The first request under this key is still running.", "request_running")
                        {
                            RetryAfterSeconds = 1,
                        };
            }
            if (!(await StartAsync(tx, caller, asked, id, by)).Try(out var run, out var refusal))
            {
                if (name is not null)
                    await RunRequests.ReleaseAsync(tx, caller.Project, name);
                return refusal;
            }
            var answer = RunJson.Render(run, await RunData.AllAsync(tx, run.Project, run.Id));
            if (name is not null)
                await RunRequests.AnswerAsync(tx, caller.Project, name, run.Id, answer);
            return new Made(run.Id, answer, asked.MadeSecret, false);
        });
    }

    private async ValueTask<Checked<Run>> StartAsync(Tx tx, ProjectCaller caller, StartRun start, string id, Actor by)
    {
        var asked = start.Asked;
        if (await AgentStore.FindAsync(tx, caller.Project, asked.Agent) is not { } agent)
            return new Refusal(
                422,
                $"There is no agent {asked.Agent}: register it with PUT /api/v1/agents/{asked.Agent}",
                "unknown_agent"
            );
        if (await WorkflowStore.ChooseNewestAsync(tx, caller.Project, asked.Workflow) is not { } workflow)
            return new Refusal(
                422,
                $"There is no workflow {asked.Workflow}: define it with PUT /api/v1/workflows/{asked.Workflow}",
                "unknown_workflow"
            );
        var run = RunStart.For(agent, id, options) with
        {
            Workflow = asked.Workflow,
            WorkflowVersion = workflow.Version,
            Tags = start.Tags,
            Metadata = start.Metadata,
            BootMessage = true,
            CallbackUrl = asked.Callback?.Url,
            CallbackSealed = start.CallbackSecret is null
                ? null
                : callbacks.Protect(caller.Project, id, start.CallbackSecret),
            DueAt = asked.Start ? tx.Now : null,
        };
        if (asked.DeadlineSeconds is { } total)
            run = run with { TotalSeconds = total };
        if (asked.SessionId is null)
            return await machine.CreateAsync(tx, run, start.Input, by);
        return await StartInSessionAsync(tx, caller, start, run, by);
    }

    private async ValueTask<Checked<Run>> StartInSessionAsync(
        Tx tx,
        ProjectCaller caller,
        StartRun start,
        Run run,
        Actor by
    )
    {
        if (
            await SessionStore.FindAsync(tx, caller.Project, start.Asked.SessionId!) is not { } found
            || SessionDoor.Hides(caller, found.Name, found.Id)
            || !caller.Allows("write", "sessions", found.Id, found.ExternalId)
            || await SessionStore.LockAsync(tx, caller.Project, found.Id) is not { } session
        )
            return new Refusal(422, "There is no such session.", "unknown_session");
        if (session.Agent != run.Agent)
            return new Refusal(422, $"The session belongs to the agent {session.Agent}.", "other_agent");
        if (run.WorkflowVersion != 0 || !start.Asked.Start)
            return new Refusal(422, "A run in a session is of the workflow agent and starts at once.", "session_run");
        if (session.IsClosed || session.IsExpired(tx.Now))
            return new Refusal(409, "The session is closed or has expired.", "session_closed");
        if (session.CurrentRun is not null)
            return new Refusal(
                409,
                "The session has a live run: append a message, or wait for its end.",
                "session_busy"
            );
        var id = await conversation.StartRunAsync(tx, session, start.Input, bootMessage: true, run, by);
        return (await RunStore.FindAsync(tx, caller.Project, id!))!;
    }

    /// <summary>The name of a key: two credentials that use the same key make two requests.</summary>
    private static string NameOf(ProjectCaller caller, string key) => "start:" + caller.Authority.Own(key);

    /// <summary>
    /// Returns the outcome of the first request under a name, or null when there is none or it was just refused.
    /// </summary>
    /// <param name="reader">Asked whether it may read the run, where the name is not its own.</param>
    private static async ValueTask<Checked<Made>?> RepeatAsync(
        Tx tx,
        string project,
        string name,
        byte[] digest,
        ProjectCaller? reader
    )
    {
        if (
            await RunRequests.FindAsync(tx, project, name) is not { } known
            || known.Answer.Length == 0
            || reader?.Allows("read", "runs", known.Run) == false
        )
            return null;
        return known.Digest.AsSpan().SequenceEqual(digest)
            ? new Made(known.Run, known.Answer, null, true)
            : new Refusal(
                422,
                "The idempotency key was used for a request with other content.",
                "idempotency_key_reused"
            );
    }
}
