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
/// Makes a capture and starts its work. The capture, its session, its message, its run and their consequences are one
/// transaction. A request about the same thing continues the existing session.
/// </summary>
internal sealed class CaptureStart(Database database, CaptureSession sessions, RelayedTriggers relayed, Outbox outbox)
{
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
        // A full trigger refuses after one read. A repeat still gets the outcome of the first request.
        if (passes && trigger.InFlight >= trigger.MaxInFlight)
        {
            return delivery is not null && await FirstOfAsync(trigger, delivery, passes) is { } known
                ? new CaptureOutcome.Duplicate(known)
                : new CaptureOutcome.Full();
        }
        // The same order for everybody.
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
                var needs = passes ? CaptureSession.Expect(tx, trigger, key) : null;
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
                if (needs is null)
                    return await FilterAsync(tx, trigger, capture);
                // Only a trigger has named the session, so whoever may see one of these events may see all of them.
                using var events = EventsTogether.Begin(tx, trigger.Project);
                var taken = await StartAsync(tx, trigger, capture, needs, prompt, key);
                events.Write();
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

    /// <summary>Returns null when none of the names is known yet, else the capture of the first request.</summary>
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
        // A name that only the repeat has now also belongs to the first request.
        if (first is not null)
            foreach (var name in names)
                await CaptureStore.PointAsync(tx, trigger.Project, trigger.Uid, name, first);
        return first;
    }

    /// <summary>
    /// Returns the capture of an earlier request with the same delivery name, or null when there is none or it may
    /// start now.
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

    private static byte[] DigestOf(string delivery) => SHA256.HashData(Encoding.UTF8.GetBytes(delivery));

    /// <summary>Stores an occurrence that was not fired, with the reason.</summary>
    public void Skip(Tx tx, Trigger trigger, long scheduledAt, string reason, string why)
    {
        var id = Id.NewGuid(database.Now);
        CaptureStore.Insert(
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
        TriggerStore.Count(tx, trigger);
    }

    private async ValueTask<CaptureOutcome> FilterAsync(Tx tx, Trigger trigger, Capture capture)
    {
        CaptureStore.Insert(tx, capture with { Status = Capture.Filtered, EndedAt = tx.Now });
        await CaptureStore.ForgetFilteredBodiesAsync(tx, trigger.Project, trigger.Uid);
        TriggerStore.Count(tx, trigger);
        await EmitAsync(tx, EventType.TriggerFiltered, trigger, capture);
        return new CaptureOutcome.FilteredOut(capture.Id);
    }

    private async ValueTask<CaptureOutcome> StartAsync(
        Tx tx,
        Trigger trigger,
        Capture capture,
        CaptureNeeds needs,
        string? prompt,
        string? key
    )
    {
        if (prompt is null)
            return Fail(
                tx,
                trigger,
                capture,
                "prompt_too_long",
                $"The prompt would be longer than {PromptTemplate.MaxPrompt} characters."
            );
        if (await needs.Agent is not { } agent)
            return Fail(tx, trigger, capture, "unknown_agent", $"The agent {trigger.Agent} is not registered.");
        var (session, inSeq, run) = await sessions.PlaceAsync(tx, trigger, capture, needs, agent, prompt, key);
        var reason = trigger.SessionMode == Trigger.ByKey && key is null ? Capture.SessionKeyMissing : null;
        CaptureStore.Insert(tx, capture with { Session = session, InSeq = inSeq, Run = run, Reason = reason });
        // Last, because the trigger's row is locked after the session's and the run's.
        TriggerStore.TakePlace(tx, trigger);
        await EmitAsync(tx, EventType.TriggerCaptured, trigger, capture);
        return new CaptureOutcome.Taken(capture.Id);
    }

    private static CaptureOutcome.Taken Fail(Tx tx, Trigger trigger, Capture capture, string reason, string why)
    {
        CaptureStore.Insert(
            tx,
            capture with
            {
                Status = Capture.Failed,
                Reason = reason,
                Error = why,
                EndedAt = tx.Now,
            }
        );
        TriggerStore.Count(tx, trigger);
        return new CaptureOutcome.Taken(capture.Id);
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

    private ValueTask EmitAsync(Tx tx, EventType type, Trigger trigger, Capture capture) =>
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

    /// <summary>Emits the event that a schedule cannot go on.</summary>
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
