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
/// Makes a capture and starts its work: the capture, its session, its message, its run and what these cause are one
/// transaction. A request about the same thing goes on with the session that there is.
/// </summary>
internal sealed class CaptureStart(
    Database database,
    Conversation conversation,
    Reactions<SessionCreated> created,
    RelayedTriggers relayed,
    Outbox outbox
)
{
    /// <summary>Characters of a conversation's key that its session shows.</summary>
    private const int ShownKey = 200;

    /// <param name="trigger">As it was read; its row is checked again where it counts.</param>
    /// <param name="incoming">The request.</param>
    /// <param name="body">Its body, understood.</param>
    /// <param name="delivery">The name that a repeat of it has too; null when a repeat cannot be told.</param>
    /// <param name="passes">Whether the filter lets it through.</param>
    /// <param name="alsoKnownAs">Another name that a repeat has, where it came through a relay.</param>
    /// <param name="also">What is written in the same transaction when it is taken; null: nothing.</param>
    public async Task<CaptureOutcome> TakeAsync(
        Trigger trigger,
        InboundRequest incoming,
        InboundBody body,
        string? delivery,
        bool passes,
        string? alsoKnownAs = null,
        Func<Tx, ValueTask>? also = null
    )
    {
        var id = Id.NewGuid(database.Now);
        // A trigger that is full refuses by one look; a repeat is told what its first became all the same.
        if (passes && trigger.InFlight >= trigger.MaxInFlight)
        {
            return delivery is not null && await FirstOfAsync(trigger, delivery, passes) is { } known
                ? new CaptureOutcome.Duplicate(known)
                : new CaptureOutcome.Full();
        }
        // In one order for everybody.
        var names = new[] { delivery, alsoKnownAs }
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)
            .Select(DigestOf)
            .OrderBy(Convert.ToHexString, StringComparer.Ordinal)
            .ToList();
        var (prompt, key) = passes ? Render(trigger, incoming, body) : (null, null);
        try
        {
            return await database.WriteAsync<CaptureOutcome>(async tx =>
            {
                if (await RememberAsync(tx, trigger, names, id, passes) is { } first)
                    return new CaptureOutcome.Duplicate(first);
                var capture = new Capture
                {
                    Project = trigger.Project,
                    Id = id,
                    TriggerUid = trigger.Uid,
                    At = tx.Now,
                    Source = incoming.Source,
                    Method = incoming.Method,
                    Path = incoming.Path,
                    Query = incoming.Query,
                    Headers = JsonSerializer.Serialize(incoming.Headers, Wire.Json),
                    Body = incoming.Body,
                    ContentType = incoming.ContentType,
                    SourceIp = incoming.SourceIp,
                    ScheduledAt = incoming.ScheduledAt,
                    Status = Capture.Captured,
                    Signed = incoming.Signed,
                };
                if (!passes)
                    return await FilterAsync(tx, trigger, capture);
                var taken = await StartAsync(tx, trigger, capture, prompt, key);
                if (also is not null)
                    await also(tx);
                return taken;
            });
        }
        catch (TriggerFullException)
        {
            return new CaptureOutcome.Full();
        }
    }

    /// <summary>Returns null when none of the names is known yet, else the capture that the first one became.</summary>
    private async ValueTask<string?> RememberAsync(
        Tx tx,
        Trigger trigger,
        List<byte[]> names,
        string capture,
        bool passes
    )
    {
        string? first = null;
        var rememberedFor = relayed.RememberedFor(trigger);
        foreach (var name in names)
            first ??= await CaptureStore.RememberAsync(
                tx,
                trigger.Project,
                trigger.Uid,
                name,
                capture,
                passes,
                rememberedFor
            );
        // What was new about it is a name of the first one too.
        if (first is not null)
            foreach (var name in names)
                await CaptureStore.PointAsync(tx, trigger.Project, trigger.Uid, name, first);
        return first;
    }

    /// <summary>
    /// Returns the capture that a delivery became when it first came; null when it has not come yet, or may start now.
    /// </summary>
    public ValueTask<string?> FirstOfAsync(Trigger trigger, string delivery, bool passes) =>
        database.ReadAsync(tx =>
            CaptureStore.FirstOfAsync(
                tx,
                trigger.Project,
                trigger.Uid,
                DigestOf(delivery),
                passes,
                relayed.RememberedFor(trigger)
            )
        );

    private static string Half(byte[] digest) => Convert.ToHexStringLower(digest.AsSpan(0, digest.Length / 2));

    private static byte[] DigestOf(string delivery) => SHA256.HashData(Encoding.UTF8.GetBytes(delivery));

    /// <summary>An occurrence that was not fired, kept with the reason.</summary>
    public async ValueTask SkipAsync(Tx tx, Trigger trigger, long scheduledAt, string reason, string why)
    {
        var id = Id.NewGuid(database.Now);
        await CaptureStore.InsertAsync(
            tx,
            new Capture
            {
                Project = trigger.Project,
                Id = id,
                TriggerUid = trigger.Uid,
                At = tx.Now,
                Source = Capture.Scheduled,
                ScheduledAt = scheduledAt,
                Status = Capture.Failed,
                Reason = reason,
                Error = why,
                EndedAt = tx.Now,
            }
        );
        await TriggerStore.CountAsync(tx, trigger, takesPlace: false);
    }

    private async ValueTask<CaptureOutcome> FilterAsync(Tx tx, Trigger trigger, Capture capture)
    {
        await CaptureStore.InsertAsync(tx, capture with { Status = Capture.Filtered, EndedAt = tx.Now });
        await CaptureStore.ForgetFilteredBodiesAsync(tx, trigger.Project, trigger.Uid);
        await TriggerStore.CountAsync(tx, trigger, takesPlace: false);
        await TellAsync(tx, EventType.TriggerFiltered, trigger, capture);
        return new CaptureOutcome.FilteredOut(capture.Id);
    }

    private async ValueTask<CaptureOutcome> StartAsync(
        Tx tx,
        Trigger trigger,
        Capture capture,
        string? prompt,
        string? key
    )
    {
        var why =
            prompt is null ? $"The prompt would be longer than {PromptTemplate.MaxPrompt} characters."
            : await AgentStore.FindAsync(tx, trigger.Project, trigger.Agent) is null
                ? $"The agent {trigger.Agent} is not registered."
            : null;
        if (why is not null)
        {
            await CaptureStore.InsertAsync(
                tx,
                capture with
                {
                    Status = Capture.Failed,
                    Reason = prompt is null ? "prompt_too_long" : "unknown_agent",
                    Error = why,
                    EndedAt = tx.Now,
                }
            );
            await TriggerStore.CountAsync(tx, trigger, takesPlace: false);
            return new CaptureOutcome.Taken(capture.Id);
        }
        var session = await SessionOfAsync(tx, trigger, capture, key);
        var appended = (AppendOutcome.Appended)
            await conversation.AppendAsync(
                tx,
                Conversation.NameOf(session),
                RecordStore.In,
                [MessageOf(session.Name, capture.Id, prompt!)],
                Writer.Server
            );
        var run = (await SessionStore.LockAsync(tx, session.Project, session.Id))!.CurrentRun;
        if (run is not null && run != session.CurrentRun)
        {
            await RunDue.SetTriggerAsync(tx, session.Project, run, trigger.Name.Scope);
            if (trigger.DeadlineSeconds is { } deadline)
                await RunDue.SetTimeLimitAsync(tx, session.Project, run, deadline);
        }
        var reason = trigger.SessionMode == Trigger.ByKey && key is null ? Capture.SessionKeyMissing : null;
        await CaptureStore.InsertAsync(
            tx,
            capture with
            {
                Session = session.Id,
                InSeq = appended.Start,
                Run = run,
                Reason = reason,
            }
        );
        // Last, as the trigger's row comes after the session's and the run's for everybody.
        if (!await TriggerStore.CountAsync(tx, trigger, takesPlace: true))
            throw new TriggerFullException();
        await TellAsync(tx, EventType.TriggerCaptured, trigger, capture);
        return new CaptureOutcome.Taken(capture.Id);
    }

    private async ValueTask<Session> SessionOfAsync(Tx tx, Trigger trigger, Capture capture, string? key)
    {
        var name = SharedName(trigger, key);
        if (name is not null && await LockNamedAsync(tx, trigger.Project, name) is { } there)
        {
            if (MayContinue(tx, trigger, there) && !conversation.IsFull(there))
                return there;
            // It was ended by somebody, is full, or is somebody's own: what comes now begins one that nobody else could
            // have named.
            name = $"{name}:{capture.Id}";
        }
        name ??= $"{trigger.Uid}:{capture.Id}";
        var made = SessionStart.New(
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
        if (await SessionStore.InsertAsync(tx, made))
        {
            await created.RaiseAsync(tx, new SessionCreated(made));
            return made;
        }
        // Another request about the same thing has begun it in this moment.
        if (await LockNamedAsync(tx, trigger.Project, name) is { } first && MayContinue(tx, trigger, first))
            return first;
        made = made with
        {
            ExternalId = $"{name}:{capture.Id}",
            Key = Session.KeyOf(trigger.Agent, $"{name}:{capture.Id}"),
        };
        if (!await SessionStore.InsertAsync(tx, made))
            throw new InvalidOperationException("A capture's own name was taken.");
        await created.RaiseAsync(tx, new SessionCreated(made));
        return made;
    }

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

    private (string? Prompt, string? Key) Render(Trigger trigger, InboundRequest incoming, InboundBody body)
    {
        var values = new TemplateValues
        {
            Method = incoming.Method,
            Path = incoming.Path,
            Query = incoming.Query,
            QueryValues = incoming.QueryValues,
            Headers = incoming.Headers,
            Body = body.Text,
            BodyJson = body.Json,
            SourceIp = incoming.SourceIp,
            Timestamp = Wire.Iso(database.Now),
            ScheduledTime = incoming.ScheduledAt is { } at ? Wire.Iso(at) : "",
        };
        var prompt = PromptTemplate.Render(trigger.Template, values);
        return (
            prompt,
            trigger.SessionMode == Trigger.ByKey ? PromptTemplate.RenderKey(trigger.SessionKey!, values) : null
        );
    }

    private ValueTask TellAsync(Tx tx, EventType type, Trigger trigger, Capture capture) =>
        outbox.EmitAsync(
            tx,
            trigger.Project,
            type,
            trigger.Uid,
            json =>
            {
                json.WriteString("triggerId", trigger.Name.Id);
                json.WriteString("namespace", trigger.Name.Namespace);
                json.WriteString("requestId", capture.Id);
                json.WriteString("source", capture.Source);
            }
        );

    /// <summary>Tells that a schedule cannot go on.</summary>
    public ValueTask TellOfProblemAsync(Tx tx, Trigger trigger, string problem) =>
        outbox.EmitAsync(
            tx,
            trigger.Project,
            EventType.ScheduleFailed,
            trigger.Uid,
            json =>
            {
                json.WriteString("triggerId", trigger.Name.Id);
                json.WriteString("namespace", trigger.Name.Namespace);
                json.WriteString("problem", problem);
            }
        );
}
