using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Chooses the session for a captured request: the open session that requests about the same thing share, or a new one.
/// </summary>
internal sealed class CaptureSession(Database database, Conversation conversation)
{
    /// <summary>The most characters of a conversation's key that the session's name shows.</summary>
    private const int ShownKey = 200;

    /// <summary>Asks ahead, together, for everything that a capture needs to start.</summary>
    public static CaptureNeeds Expect(Tx tx, Trigger trigger, string? key)
    {
        var shared = SharedName(trigger, key);
        var needs = new CaptureNeeds(
            AgentStore.FindAhead(tx, trigger.Project, trigger.Agent),
            shared,
            shared is null ? null : SessionStore.FindNamedAhead(tx, trigger.Project, shared)
        );
        _ = WebhookEndpoints.Expect(tx, trigger.Project);
        return needs;
    }

    /// <summary>Puts a captured request into a session, with a run that answers it.</summary>
    public async ValueTask<CapturePlace> PlaceAsync(
        Tx tx,
        Trigger trigger,
        Capture capture,
        CaptureNeeds needs,
        Agent agent,
        string prompt,
        string? key
    ) =>
        await ContinueAsync(tx, trigger, capture, needs, prompt)
        ?? await BeginAsync(tx, trigger, capture, needs, agent, prompt, key);

    /// <summary>Continues the existing session. Returns null when there is none that accepts the request.</summary>
    private async ValueTask<CapturePlace?> ContinueAsync(
        Tx tx,
        Trigger trigger,
        Capture capture,
        CaptureNeeds needs,
        string prompt
    ) =>
        needs.Named is { } named
        && await named is { } known
        && await SessionStore.LockAsync(tx, known.Project, known.Id) is { } session
        && MayContinue(tx, trigger, session)
        && !conversation.IsFull(session)
            ? await AddAsync(tx, trigger, capture, session, prompt)
            : null;

    private async ValueTask<CapturePlace> AddAsync(
        Tx tx,
        Trigger trigger,
        Capture capture,
        Session session,
        string prompt
    )
    {
        var appended = (AppendOutcome.Appended)
            await conversation.AppendAsync(
                tx,
                Conversation.NameOf(session),
                RecordStore.In,
                [MessageOf(session.Name, capture.Id, prompt)],
                Writer.Server
            );
        var run = (await SessionStore.LockAsync(tx, session.Project, session.Id))!.CurrentRun;
        if (run is not null && run != session.CurrentRun)
        {
            await RunDue.SetTriggerAsync(tx, session.Project, run, trigger.Name.Scope);
            if (trigger.DeadlineSeconds is { } deadline)
                await RunDue.SetTimeLimitAsync(tx, session.Project, run, deadline);
        }
        return new CapturePlace(session.Id, appended.Start, run);
    }

    /// <summary>Begins a session with the request, under the shared name or a name of its own.</summary>
    private async ValueTask<CapturePlace> BeginAsync(
        Tx tx,
        Trigger trigger,
        Capture capture,
        CaptureNeeds needs,
        Agent agent,
        string prompt,
        string? key
    )
    {
        var own = $"{needs.SharedName ?? trigger.Uid}:{capture.Id}";
        // A session with the shared name that cannot be continued was ended, is full, or belongs to somebody else. The
        // new one gets a name that nobody else could have chosen.
        if (needs.SharedName is { } shared && await needs.Named! is null)
        {
            if (await BeginNamedAsync(shared, isOwn: false) is { } begun)
                return begun;
            // Another request about the same thing has just begun it.
            if (await LockNamedAsync(tx, trigger.Project, shared) is { } first && MayContinue(tx, trigger, first))
                return await AddAsync(tx, trigger, capture, first, prompt);
        }
        return (await BeginNamedAsync(own, isOwn: true))!;

        async ValueTask<CapturePlace?> BeginNamedAsync(string name, bool isOwn) =>
            await conversation.BeginAsync(
                tx,
                New(tx, trigger, name, key),
                isOwn,
                MessageOf(name, capture.Id, prompt),
                agent,
                run =>
                    run with
                    {
                        TriggerKey = trigger.Name.Scope,
                        TotalSeconds = trigger.DeadlineSeconds ?? run.TotalSeconds,
                    }
            )
                is { } session
                ? new CapturePlace(session.Id, 0, session.CurrentRun)
                : null;
    }

    private Session New(Tx tx, Trigger trigger, string name, string? key) =>
        SessionStart.New(
            tx,
            trigger.Project,
            Id.New(Session.Prefix, database.Now),
            name,
            trigger.Agent,
            Trigger.SessionType
        ) with
        {
            Metadata = JsonSerializer.Serialize(
                new { trigger = trigger.Name.Scope, key = key is null ? null : Wire.Cut(key, ShownKey) },
                Wire.Json
            ),
        };

    /// <summary>Returns the name of the session that requests share; null when each has its own.</summary>
    private static string? SharedName(Trigger trigger, string? key) =>
        trigger.SessionMode switch
        {
            Trigger.PerTrigger => trigger.Uid,
            // Turns a key of any length and any characters into a unique name.
            Trigger.ByKey when key is not null => $"{trigger.Uid}:{Half(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}",
            // An empty key is shared with nobody.
            _ => null,
        };

    private static async ValueTask<Session?> LockNamedAsync(Tx tx, string project, string name) =>
        await SessionStore.FindAsync(tx, project, name) is { } known
            ? await SessionStore.LockAsync(tx, project, known.Id)
            : null;

    /// <summary>
    /// Returns whether a trigger made this session itself and it is open. Only such a session gets further requests. A
    /// client's session always has a configuration; one that the server made for a trigger has none.
    /// </summary>
    private static bool MayContinue(Tx tx, Trigger trigger, Session there) =>
        there is { Type: Trigger.SessionType, TriggerConfig: null }
        && there.Agent == trigger.Agent
        && !there.IsClosed
        && !there.IsExpired(tx.Now);

    private static NewRecord MessageOf(string chat, string capture, string prompt)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                kind = "message",
                payload = new
                {
                    chatId = chat,
                    trigger = "submit-message",
                    message = new
                    {
                        id = capture,
                        role = "user",
                        parts = new[] { new { type = "text", text = prompt } },
                    },
                },
            },
            Wire.Json
        );
        return NewRecord.OfText(body, capture, capture, InEffect.Read(body));
    }

    private static string Half(byte[] digest) => Convert.ToHexStringLower(digest.AsSpan(0, digest.Length / 2));
}
