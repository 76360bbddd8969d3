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
/// The session that a captured request becomes a message of: the one that requests about the same thing share, while it
/// is open, or one that begins with it.
/// </summary>
internal sealed class CaptureSession(Database database, Conversation conversation)
{
    /// <summary>Characters of a conversation's key that its session shows.</summary>
    private const int ShownKey = 200;

    /// <summary>Asks for what a capture needs to start, together and ahead of the first answer.</summary>
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

    /// <summary>Gives a captured request its place in a session, with a run that answers it.</summary>
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

    /// <summary>Goes on with the session that there is; null when there is none that takes the request.</summary>
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

    /// <summary>Begins a session with the request, under the name that such requests share or one of its own.</summary>
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
        // One that has the shared name and is not gone on with was ended by somebody, is full, or is somebody's own:
        // what comes now begins one that nobody else could have named.
        if (needs.SharedName is { } shared && await needs.Named! is null)
        {
            if (await BeginNamedAsync(shared, isOwn: false) is { } begun)
                return begun;
            // Another request about the same thing has begun it in this moment.
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

    /// <summary>The name of the session that requests share; null: each has one of its own.</summary>
    private static string? SharedName(Trigger trigger, string? key) =>
        trigger.SessionMode switch
        {
            Trigger.PerTrigger => trigger.Uid,
            // A key of any length and any characters, told apart from every other.
            Trigger.ByKey when key is not null => $"{trigger.Uid}:{Half(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}",
            // A key that names nothing is shared with nobody.
            _ => null,
        };

    private static async ValueTask<Session?> LockNamedAsync(Tx tx, string project, string name) =>
        await SessionStore.FindAsync(tx, project, name) is { } known
            ? await SessionStore.LockAsync(tx, project, known.Id)
            : null;

    /// <summary>
    /// Whether a trigger made this session itself and it is open: only then are its requests added to it. A client's
    /// session always has a configuration; one that the server made for a trigger has none.
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
