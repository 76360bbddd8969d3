using Postern.Access;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>
/// Works through the items of running jobs, a batch of each job at a time, and then counts for a while how many of
/// those that were sent again arrive. When a node dies, its job is taken over after its lease.
/// </summary>
internal sealed class BulkWorker(
    Database database,
    BulkStore store,
    IEnumerable<BulkAction> actions,
    Mandates mandates,
    ServerLife life,
    ILogger<BulkWorker> log
) : SignalledPollingLoop(database, Topics.Bulk, life.Clock, log)
{
    private const int Batch = 100;
    private const int JobsAtOnce = 8;

    /// <summary>How long to wait for an item that cannot be done now, in microseconds.</summary>
    private const long Patience = 600_000_000;
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Most deliveries that arrive do so at once.</summary>
    private static readonly TimeSpan LooksFor = TimeSpan.FromMinutes(10);

    private readonly BulkAction[] _actions = [.. actions];
    private bool _recovered = !database.IsEmbedded;

    /// <summary>Each poll is a transaction of an idle node on PostgreSQL.</summary>
    protected override TimeSpan NextPoll => Database.IsEmbedded ? PollInterval : TimeSpan.FromSeconds(2);

    protected override async Task<bool> PollAsync(CancellationToken stop)
    {
        if (life.Stopping.IsCancellationRequested)
            return false;
        if (!_recovered)
            await store.ReleaseAllAsync();
        _recovered = true;
        if (!await store.HasDueAsync())
            return false;
        var claimed = await store.ClaimAsync(JobsAtOnce, Lease);
        var went = await Task.WhenAll(claimed.Select(job => WorkAsync(job, stop)));
        // A job that could not go on is tried by the next poll, not at once.
        return went.Any(one => one);
    }

    /// <summary>Does the next part of a job. Returns false when it made no progress.</summary>
    private async Task<bool> WorkAsync(BulkJob job, CancellationToken stop)
    {
        try
        {
            return job.EndedAt is null ? await BatchAsync(job, stop) : await CountArrivalsAsync(job);
        }
        catch (LeaseLostException)
        {
            // Another node has it, or somebody stopped it.
            return true;
        }
        catch (StorageUnavailableException fault)
        {
            PollLog.Waits(Log, GetType().Name, fault.Message);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            PollLog.OneFailed(Log, job.Id, fault);
        }
        // Its lease runs out, and then it is claimed again; the fault may be over by then.
        return false;
    }

    private async Task<bool> BatchAsync(BulkJob job, CancellationToken stop)
    {
        var action = _actions.FirstOrDefault(a => a.Name == job.Action);
        var authority = await mandates.FindAsync(job.Project, job.By);
        if (WhyStopped(job, action, authority) is { } why)
        {
            await store.EndAsync(job, BulkJob.Stopped, why, null);
            return true;
        }
        var ids = BulkJobs.ItemsOf(job.Items);
        var scope = new BulkScope(job.Filter, job.AsOf, authority!.Allows(RequiredScope.FullAdmin));
        var place = (int)job.Place;
        for (; place < ids.Count && place < job.Place + Batch && !stop.IsCancellationRequested; place++)
            if (!await OneAsync(action!, new BulkItem(job, ids[place], scope), place))
            {
                await store.LeaveAsync(job, Pause);
                return place > job.Place;
            }
        if (place < ids.Count)
            await store.LeaveAsync(job);
        else
            await store.EndAsync(job, BulkJob.Done, null, job.Action == DeliveryBulk.Retry ? LooksFor : null);
        return true;
    }

    /// <summary>Returns why the job may not go on, in the words of an ended stream, or null.</summary>
    private string? WhyStopped(BulkJob job, BulkAction? action, Authority? authority)
    {
        if (action is null)
            return "unknown_action";
        if (authority is null)
            return StreamEnd.Revoked;
        return authority.WhyEnded(Database.Now)
            ?? (authority.Allows(action.RequiredScopeOf(job.Filter)) ? null : StreamEnd.Forbidden);
    }

    /// <summary>Handles one item. Returns false when it can be neither done nor skipped now.</summary>
    private async Task<bool> OneAsync(BulkAction action, BulkItem item, int place)
    {
        try
        {
            await action.DoAsync(item, (tx, skip) => EndItemAsync(tx, action, item, place, skip));
            return true;
        }
        catch (Exception fault) when (fault is NoPlaceException or StorageBusyException)
        {
            var since = place == item.Job.Place ? item.Job.MovedAt : Database.Now;
            if (Database.Now - since < Patience)
                return false;
            await SkipAsync(
                item,
                place,
                fault is StorageBusyException
                    ? Skip.Held
                    : new Skip("trigger_full", "The trigger had no place for it for 10 minutes.")
            );
        }
        catch (Exception fault) when (fault is not (LeaseLostException or StorageUnavailableException))
        {
            // An item that cannot be done does not stop the others.
            PollLog.OneFailed(Log, item.Id, fault);
            await SkipAsync(item, place, Skip.Broken);
        }
        return true;
    }

    private Task SkipAsync(BulkItem item, int place, Skip why) =>
        Database.WriteAsync(async tx =>
        {
            await BulkStore.RecordAsync(tx, item, place, why, Lease);
            return 0;
        });

    /// <summary>Ends the transaction of an item with its audit row and its outcome.</summary>
    private static async ValueTask EndItemAsync(Tx tx, BulkAction action, BulkItem item, int place, Skip? skip)
    {
        var job = item.Job;
        if (skip is null)
            Audit.Write(
                tx,
                new AuditRow(
                    job.Project,
                    action.Audited,
                    job.By.Credential,
                    job.By.Actor,
                    "POST /api/v1/bulk",
                    job.Address,
                    $"{item.Id} {job.Id}"
                )
            );
        await BulkStore.RecordAsync(tx, item, place, skip, Lease);
    }

    /// <summary>Counts the arrivals of an ended job. Returns false when there is nothing to do now.</summary>
    private async Task<bool> CountArrivalsAsync(BulkJob job)
    {
        var action = _actions.FirstOrDefault(a => a.Name == job.Action);
        var arrivals = action is null ? null : await action.ArrivedAsync(job.Project, BulkJobs.ItemsOf(job.Items));
        var arrived = Math.Max(job.ArrivedCount, arrivals?.Arrived ?? 0);
        var isOver = arrivals is not { UnderWay: > 0 } || Database.Now >= job.WaitsUntil;
        await store.ArrivedAsync(job, arrived, isOver, Pause);
        return false;
    }
}
