using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Fires schedules, on any number of nodes: an occurrence is started under its own instant, which is known like a delivery's id, so that whoever comes second starts
/// nothing; then one node moves the schedule on. A crash between the two repeats the start, and that does nothing. What was missed (the server was away, all places
/// were taken) is kept as captures with the reason; after a pause the newest missed occurrence is caught up once. Beside that it keeps captures for as long as their
/// retention says.
/// </summary>
internal sealed class TriggerScheduler(Database database, TriggerStore triggers, CaptureStore captures, CaptureStart start, PosternOptions options, TimeProvider clock, ILogger<TriggerScheduler> log) : PeriodicLook(clock, log)
{
    private const int Batch = 100;
    /// <summary>Missed occurrences that are recorded one by one; those before them are only counted.</summary>
    private const int MaxRecorded = 20;

    protected override async Task LookAsync(CancellationToken stop)
    {
        foreach (var trigger in await triggers.DueAsync(Batch)) await OneAsync(trigger.Uid, () => FireAsync(trigger));
    }

    protected override async Task SweepAsync(CancellationToken stop)
    {
        foreach (var (project, uid) in await TriggersAsync()) await captures.SweepAsync(project, uid, options.Retention.CapturesPerTrigger);
        while (await captures.ForgetKeysAsync(1000) == 1000) stop.ThrowIfCancellationRequested();
    }

    private async Task FireAsync(Trigger trigger)
    {
        if (trigger.Cron is null || CronSchedule.Parse(trigger.Cron, trigger.Zone ?? "UTC", database.Now).Schedule is not { } schedule)
        {
            await database.WriteAsync(tx => TriggerStore.AdvanceAsync(tx, trigger, null, null));
            return;
        }
        var now = database.Now;
        var missed = new List<long>();
        var occurrence = trigger.NextAt!.Value;
        // Everything up to now was missed but the newest, which is fired, late if it must be.
        while (schedule.After(occurrence) is { } following && following <= now)
        {
            missed.Add(occurrence);
            if (missed.Count > MaxRecorded) missed.RemoveAt(0);
            occurrence = following;
        }
        var next = schedule.After(Math.Max(occurrence, now));
        var outcome = await start.TakeAsync(trigger, Incoming.Occurrence(Capture.Scheduled, occurrence), $"scheduled {occurrence}", passes: true);
        await database.WriteAsync(async tx =>
        {
            // One node moves the schedule on, and tells what was missed.
            if (!await TriggerStore.AdvanceAsync(tx, trigger, next, next + TriggerFields.Jitter())) return false;
            foreach (var at in missed) await start.SkipAsync(tx, trigger, at, "skipped", "The server was not there at this time.");
            if (outcome is CaptureOutcome.Full) await start.SkipAsync(tx, trigger, occurrence, "in_flight_limit", "All places of the trigger were taken at this time.");
            return true;
        });
    }

    private ValueTask<List<(string Project, string Uid)>> TriggersAsync() =>
        database.ReadAsync(tx => tx.ListAsync("SELECT project, uid FROM agent_trigger ORDER BY last_at DESC LIMIT 10000", r => (r.GetString(0), r.GetString(1))));
}
