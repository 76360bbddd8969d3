using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Fires schedules, on any number of nodes: an occurrence is started under its own instant, which is known like a
/// delivery's id, so that whoever comes second starts nothing; then one node moves the schedule on. A crash between the
/// two repeats the start, and that does nothing. What was missed (the server was away, all places were taken) is kept
/// as captures with the reason; after a pause the newest missed occurrence is caught up once.
///
/// A schedule that cannot be reckoned or fired is put off by a minute, says why, and holds up no other. Once a minute
/// all are reckoned again: what a wrong clock has set too far ahead comes back. Beside that it keeps captures for as
/// long as their retention says.
/// </summary>
internal sealed class TriggerScheduler(
    Database database,
    TriggerStore triggers,
    CaptureStore captures,
    CaptureStart start,
    PosternOptions options,
    TimeProvider clock,
    ILogger<TriggerScheduler> log
) : PollingLoop(clock, log)
{
    private const int Batch = 100;

    /// <summary>Missed occurrences that are recorded one by one; those before them are not.</summary>
    private const int MaxRecorded = 20;

    /// <summary>How much later than its occurrence a schedule may be due: its jitter.</summary>
    private const long MaxJitter = 30_000_000;
    private const long PutOffMicroseconds = 60_000_000;

    protected override async Task PollAsync(CancellationToken stop)
    {
        await AllAsync(
            triggers.DueAsync,
            trigger => trigger.Uid,
            async trigger =>
            {
                if (await OneAsync(trigger.Name.Scope, () => FireAsync(trigger)))
                    return true;
                await PutOffAsync(trigger, "could not be fired; the server's log says why");
                return true;
            },
            stop
        );
    }

    protected override async Task SweepAsync(CancellationToken stop)
    {
        await ReckonAsync(stop);
        foreach (var (project, uid) in await TriggersAsync())
            await OneAsync(uid, () => captures.SweepAsync(project, uid, options.Retention.CapturesPerTrigger));
        while (await captures.ForgetKeysAsync(1000, triggers.Relayed.Longest) == 1000)
            stop.ThrowIfCancellationRequested();
    }

    private async Task<bool> FireAsync(Trigger trigger)
    {
        if (ScheduleOf(trigger, out var problem) is not { } schedule)
        {
            await PutOffAsync(trigger, problem!);
            return true;
        }
        if (trigger.NextAt is null)
        {
            await ReckonAsync(trigger);
            return true;
        }
        var now = database.Now;
        // Everything up to now was missed but the newest, which is fired, late if it must be.
        var passed = schedule.Newest(trigger.NextAt.Value, Math.Max(now, trigger.NextAt.Value), MaxRecorded + 1);
        var occurrence = passed[^1];
        var next = schedule.After(Math.Max(occurrence, now));
        var outcome = await start.TakeAsync(
            trigger,
            InboundRequest.Occurrence(Capture.Scheduled, occurrence),
            InboundBody.None,
            $"scheduled {occurrence}",
            passes: true
        );
        await database.WriteAsync(async tx =>
        {
            // One node moves the schedule on, and tells what was missed.
            if (!await TriggerStore.AdvanceAsync(tx, trigger, next, next + TriggerFields.Jitter()))
                return false;
            foreach (var at in passed.SkipLast(1))
                start.Skip(tx, trigger, at, "skipped", "The server was not there at this time.");
            if (outcome is CaptureOutcome.Full)
                start.Skip(
                    tx,
                    trigger,
                    occurrence,
                    "in_flight_limit",
                    "All places of the trigger were taken at this time."
                );
            return true;
        });
        return true;
    }

    /// <summary>
    /// Schedules whose next run is farther away than their next occurrence from now, or that have none: a clock was
    /// wrong, or the next occurrence could not be reckoned.
    /// </summary>
    private async Task ReckonAsync(CancellationToken stop)
    {
        for (var after = ("", ""); ; stop.ThrowIfCancellationRequested())
        {
            var page = await triggers.ScheduledAsync(after.Item1, after.Item2, Batch);
            foreach (var trigger in page)
                await OneAsync(trigger.Name.Scope, () => ReckonAsync(trigger));
            if (page.Count < Batch)
                return;
            after = (page[^1].Project, page[^1].Uid);
        }
    }

    private async Task ReckonAsync(Trigger trigger)
    {
        var now = database.Now;
        if (ScheduleOf(trigger, out var problem) is not { } schedule)
        {
            if (trigger.ScheduleProblem is null)
                await PutOffAsync(trigger, problem!);
            return;
        }
        if (schedule.After(now) is not { } expected)
            return;
        var isFar = trigger.DueAt is null || trigger.DueAt > Math.Max(expected + MaxJitter, now + PutOffMicroseconds);
        if (!isFar && trigger.NextAt is not null)
            return;
        var next = Math.Min(trigger.NextAt ?? expected, expected);
        await database.WriteAsync(tx => TriggerStore.AdvanceAsync(tx, trigger, next, next + TriggerFields.Jitter()));
    }

    private static CronSchedule? ScheduleOf(Trigger trigger, out string? problem)
    {
        (var schedule, var field, problem) = CronSchedule.Read(trigger.Cron ?? "", trigger.Zone ?? "UTC");
        if (problem is not null)
            problem = $"{field} {problem}";
        return schedule;
    }

    private Task<bool> PutOffAsync(Trigger trigger, string problem) =>
        database.WriteAsync(async tx =>
        {
            var isPutOff = await TriggerStore.PutOffAsync(tx, trigger, tx.Now + PutOffMicroseconds, problem);
            if (isPutOff && trigger.ScheduleProblem != problem)
                await start.TellOfProblemAsync(tx, trigger, problem);
            return isPutOff;
        });

    private ValueTask<List<(string Project, string Uid)>> TriggersAsync() =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT project, uid FROM agent_trigger WHERE last_at IS NOT NULL ORDER BY last_at DESC LIMIT 10000",
                r => (r.GetString(0), r.GetString(1))
            )
        );
}
