using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>The actions on a trigger and its captures, for every route. A refused action changes nothing.</summary>
internal sealed class TriggerActions(
    TriggerStore triggers,
    TriggerFields reader,
    CaptureStart start,
    Database database,
    PosternOptions options
)
{
    /// <summary>Makes a trigger, or replaces the configuration of an existing one; its captures stay.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="project">Whose it is.</param>
    /// <param name="name">Its name.</param>
    /// <param name="body">What is said of it.</param>
    /// <param name="by">Who says it.</param>
    /// <param name="replaces">False: one that is there is not touched, and the answer is 409.</param>
    public async ValueTask<Checked<Trigger>> PutAsync(
        Tx tx,
        string project,
        TriggerName name,
        Fields body,
        Actor by,
        bool replaces = true
    )
    {
        await ProjectQuota.LockAsync(tx, project);
        var there = await TriggerStore.FindAsync(tx, project, name);
        if (there is not null && !replaces)
            return new Refusal(409, "There is a trigger of this name already: change that one.", "trigger_exists");
        if (
            there is null
            && await ProjectQuota.WhyNotOneMoreAsync(
                tx,
                project,
                "agent_trigger WHERE project = $1",
                "Triggers",
                options.Quotas.Triggers
            )
                is { } full
        )
            return full;
        return await SaveAsync(tx, there ?? Trigger.Empty(project, name, tx.Now), body, by, replaces: true);
    }

    /// <summary>Changes a trigger: null clears a member, an absent one stays.</summary>
    public async ValueTask<Checked<Trigger>> ChangeAsync(Tx tx, string project, TriggerName name, Fields body, Actor by)
    {
        await ProjectQuota.LockAsync(tx, project);
        return await TriggerStore.FindAsync(tx, project, name) is { } before
            ? await SaveAsync(tx, before, body, by, replaces: false)
            : TriggerFamily.NotFound;
    }

    /// <summary>Starts a captured request again, as a new one. Returns the new one's id.</summary>
    /// <param name="trigger">Its trigger.</param>
    /// <param name="capture">The request.</param>
    /// <param name="body">Another body in place of its own; null: its own.</param>
    /// <param name="also">What is written in the same transaction when it is taken; null: nothing.</param>
    public async Task<Checked<string>> ReplayAsync(
        Trigger trigger,
        Capture capture,
        byte[]? body = null,
        Func<Tx, ValueTask>? also = null
    )
    {
        if (!trigger.IsActive)
            return new Refusal(409, "Trigger is paused", "trigger_paused");
        var incoming = InboundRequest.Of(capture, Capture.Replay);
        if (body is not null)
            incoming = incoming.WithBody(body);
        using var understood = InboundBody.OfCaptured(incoming, InboundRoutes.MaxBody);
        return
            await start.TakeAsync(trigger, incoming, understood, null, passes: true, also: also)
                is CaptureOutcome.Taken taken
            ? taken.Id
            : InboundRoutes.Full;
    }

    /// <summary>Fires a schedule now. Returns the id of the capture.</summary>
    public async Task<Checked<string>> InvokeAsync(Trigger trigger)
    {
        if (trigger.Mode != Trigger.Scheduled)
            return new Refusal(400, "NOT_SCHEDULED", "not_scheduled");
        if (!trigger.IsActive)
            return new Refusal(409, "INACTIVE", "trigger_paused");
        var occurrence = InboundRequest.Occurrence(Capture.Manual, database.Now);
        return
            await start.TakeAsync(trigger, occurrence, InboundBody.None, null, passes: true)
                is CaptureOutcome.Taken taken
            ? taken.Id
            : InboundRoutes.Full with
            {
                Message = "INFLIGHT_LIMIT",
            };
    }

    private async ValueTask<Checked<Trigger>> SaveAsync(Tx tx, Trigger before, Fields body, Actor by, bool replaces)
    {
        var trigger = await reader.ReadAsync(tx, body, before, replaces);
        if (body.Faults.Count > 0)
            return Faults(body);
        if (!SignsAlike(before, trigger))
            trigger = trigger with { AuthChangedAt = tx.Now, AuthChangedBy = $"{by.Credential} {by.Id}" };
        await TriggerStore.PutAsync(tx, trigger);
        return trigger;
    }

    /// <summary>Returns whether signatures that were valid before the change are still valid, and no others.</summary>
    private bool SignsAlike(Trigger before, Trigger after)
    {
        var (was, now) = (triggers.RuleOf(before), triggers.RuleOf(after));
        return was is null || now is null
            ? was is null && now is null
            : was.Scheme == now.Scheme
                && was.Header == now.Header
                && was.Form == now.Form
                && was.Secrets.SequenceEqual(now.Secrets, StringComparer.Ordinal);
    }

    /// <summary>Texts that old callers parse have no field in front; all others name their field.</summary>
    private static Refusal Faults(Fields fields)
    {
        var isAboutAuth = fields.Faults.All(f => f.Field.StartsWith("webhookAuth", StringComparison.Ordinal));
        return isAboutAuth && fields.Faults.Any(f => f.Problem == TriggerFields.BothRequired)
            ? Refusal.BadRequest(TriggerFields.BothRequired, "invalid_body")
            : fields.Refusal()!;
    }
}
