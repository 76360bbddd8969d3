using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Fires schedules, on any number of nodes. An occurrence is started under its instant, like a delivery under its id,
/// so a second node starts nothing. Then one node moves the schedule on. After a crash between the two, the start is
/// repeated and does nothing. Missed occurrences (the server was away, all places were taken) are stored as captures
/// with the reason. After a pause, the newest missed occurrence is fired once.
///
/// A schedule that cannot be computed or fired is tried again a minute later, shows the reason, and does not delay
/// others. Once a minute, all schedules are computed again, which corrects those that a wrong clock has set too far
/// ahead.
/// </summary>
internal sealed class TriggerScheduler(
    Database database,
    TriggerStore triggers,
    CaptureStart start,
    TimeProvider clock,
    ILogger<TriggerScheduler> log
) : PollingLoop(clock, log)
{
    private const int Batch = 100;

    /// <summary>The most missed occurrences that are stored one by one; earlier ones are not.</summary>
    private const int MaxRecorded = 20;

    /// <summary>The most seconds that a schedule fires after its occurrence: its jitter.</summary>
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

    protected override Task SweepAsync(CancellationToken stop) => ReckonAsync(stop);

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
        // Everything up to now was missed, except the newest occurrence, which is fired late.
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
            // One node moves the schedule on, and stores what was missed.
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
    /// Returns schedules whose next run is later than their next occurrence from now, or that have none: a clock was
    /// wrong, or the next occurrence could not be computed.
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
}
