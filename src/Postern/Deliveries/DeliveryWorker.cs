using System.Data.Common;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Sends due deliveries, on any number of nodes. It looks at the endpoints with something due in turn, claims a share
/// for each under a lease, sends through the endpoint's <see cref="DeliveryLane"/>, and records the result; the record
/// and its consequences are one transaction. It wakes at a commit that made something due, when a place becomes free,
/// and by itself every second.
///
/// A lease is short and is renewed while it is held, so another node soon sends what a dead node held. When the server
/// stops, the worker claims nothing more and releases what has not begun. What is under way is finished and recorded
/// within the remaining time.
/// </summary>
internal sealed partial class DeliveryWorker : SignalledPollingLoop
{
    private const int EndpointsAtOnce = 512;
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan RecordEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GivesBackWithin = TimeSpan.FromSeconds(2);

    private readonly DeliveryStore _store;
    private readonly DeliverySender _sender;
    private readonly DeliveryRecorder _recorder;
    private readonly PosternOptions _options;
    private readonly Dictionary<(string, string), DeliveryLane> _lanes = [];
    private readonly Lock _gate = new();
    private readonly HashSet<(string Project, string Id)> _held = [];
    private readonly TimeProvider _clock;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenSource _cut = new();
    private (string Project, string Endpoint) _at = ("", "");
    private (string Project, string Endpoint) _walked = ("", "");
    private int _underWay;
    private bool _recovered;
    private long _renewedAt;

    public DeliveryWorker(
        Database database,
        DeliveryStore store,
        DeliverySender sender,
        DeliveryRecorder recorder,
        PosternOptions options,
        ServerLife life,
        ILogger<DeliveryWorker> log
    )
        : base(database, Topics.Deliveries, life.Clock, log)
    {
        (_store, _sender, _recorder, _options, _clock) = (store, sender, recorder, options, life.Clock);
        _stopping = life.Stopping;
        _stopping.Register(Due.Set);
        _recovered = !database.IsEmbedded;
    }

    protected override async Task<bool> PollAsync(CancellationToken stop)
    {
        if (!_recovered)
            await _store.ReleaseAllAsync();
        _recovered = true;
        await RenewAsync();
        if (_stopping.IsCancellationRequested)
        {
            await GiveBackWaitingAsync();
            return false;
        }
        var claimed = await ClaimAsync();
        Pump();
        return claimed > 0;
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await GiveBackWaitingAsync();
        while (IsSending && !cancellationToken.IsCancellationRequested)
        {
            await Due.WaitAsync(PollInterval, _clock, CancellationToken.None);
            await TryRenewAsync();
        }
        await _cut.CancelAsync();
        for (var began = _clock.GetTimestamp(); IsSending && _clock.GetElapsedTime(began) < GivesBackWithin; )
            await Due.WaitAsync(PollInterval, _clock, CancellationToken.None);
    }

    public override void Dispose()
    {
        _cut.Dispose();
        base.Dispose();
    }

    private bool IsSending
    {
        get
        {
            lock (_gate)
                return _underWay > 0;
        }
    }

    /// <summary>Renews its own leases before it looks for those that others have lost.</summary>
    private async Task RenewAsync()
    {
        if (Database.Now - _renewedAt < (long)RenewEvery.TotalMicroseconds)
            return;
        List<(string, string)> held;
        lock (_gate)
            held = [.. _held];
        if (held.Count > 0)
            await _store.RenewAsync(held, Lease);
        _renewedAt = Database.Now;
    }

    private async Task TryRenewAsync()
    {
        try
        {
            await RenewAsync();
        }
        catch (StorageUnavailableException fault)
        {
            DeliveryLog.Waits(Log, fault.Message);
        }
    }

    private Task GiveBackWaitingAsync()
    {
        List<Delivery> waiting;
        lock (_gate)
            waiting = [.. _lanes.Values.SelectMany(l => l.TakeWaiting())];
        return waiting.Count == 0 ? Task.CompletedTask : GiveBackAsync(waiting, Database.Now);
    }

    /// <summary>Makes one round over the endpoints with something due, as far as there is room.</summary>
    private async Task<int> ClaimAsync()
    {
        (var due, _walked) = await _store.DueEndpointsAsync(_walked);
        // The next round goes on where this one ended, so that the last of many endpoints gets its turn.
        var from = due.FindIndex(e => DeliveryStore.PlaceOrder.Compare(e, _at) > 0);
        if (from > 0)
            due = [.. due[from..], .. due[..from]];
        var shares = new List<(string, string, int)>();
        lock (_gate)
        {
            var free = _options.Deliveries.Concurrency - _underWay;
            foreach (var (project, endpoint) in due.Take(EndpointsAtOnce))
            {
                _at = (project, endpoint);
                if (!_lanes.TryGetValue((project, endpoint), out var lane))
                    _lanes[(project, endpoint)] = lane = new DeliveryLane(_options.Deliveries);
                var room = Math.Min(lane.Room(Database.Now), free);
                if (room <= 0)
                    continue;
                free -= room;
                shares.Add((project, endpoint, room));
            }
            var waiting = due.ToHashSet();
            foreach (
                var (key, _) in _lanes.Where(l => l.Value.IsIdle(Database.Now) && !waiting.Contains(l.Key)).ToList()
            )
                _lanes.Remove(key);
        }
        if (shares.Count == 0)
            return 0;
        var claimed = await _store.ClaimAsync(shares, Lease);
        lock (_gate)
        {
            // A delivery whose lease was lost while it is under way here must not be sent a second time.
            foreach (var delivery in claimed.OrderBy(d => d.Id, StringComparer.Ordinal))
                if (_held.Add((delivery.Project, delivery.Id)))
                    LaneOf(delivery).Add(delivery);
        }
        return claimed.Count;
    }

    protected override TimeSpan NextPoll
    {
        get
        {
            lock (_gate)
            {
                var now = Database.Now;
                var next = now + (long)PollInterval.TotalMicroseconds;
                foreach (var lane in _lanes.Values)
                {
                    if (lane.IsOpen(now))
                        next = Math.Min(next, lane.PausedUntil);
                    if (lane.NextTokenAt(now) is { } at)
                        next = Math.Min(next, at);
                }
                return TimeSpan.FromMicroseconds(Math.Max(1000, next - now));
            }
        }
    }

    private async Task WorkAsync(Delivery delivery, DeliveryLane lane)
    {
        List<Delivery> back = [];
        try
        {
            var purpose = _recorder.PurposeOf(delivery);
            var (request, why) = await purpose.PrepareAsync(delivery);
            bool? reached = null;
            if (request is null)
                await _recorder.EndUnsentAsync(delivery, why!, tell: false);
            else
                reached = await SendAsync(delivery, lane, request);
            back = Finish(delivery, lane, reached);
        }
        catch (OperationCanceledException) when (_cut.IsCancellationRequested)
        {
            // The time to stop is over: another node sends it at once.
            await GiveBackAsync([delivery], Database.Now);
            Finish(delivery, lane, null);
            return;
        }
        catch (Exception fault)
        {
            DeliveryLog.Failed(Log, delivery.Id, fault);
            await SetAsideAsync(delivery, fault);
            Finish(delivery, lane, null);
        }
        if (back.Count > 0)
            await GiveBackAsync(back, lane.PausedUntil);
        lock (_gate)
            PumpLane(lane);
        if (lane.Room(Database.Now) > 0)
            Due.Set();
    }

    /// <summary>Sends it and keeps the attempt. Returns whether the endpoint can be reached.</summary>
    private async Task<bool> SendAsync(Delivery delivery, DeliveryLane lane, PreparedDelivery request)
    {
        lock (_gate)
        {
            if (lane.Learn(request.RatePerSecond, Database.Now))
                PumpLane(lane);
        }
        var attempt = await _sender.SendAsync(delivery, request, _cut.Token);
        if (!attempt.Arrived)
            DeliveryLog.NotArrived(
                Log,
                delivery.Id,
                delivery.Type,
                delivery.Attempts + 1,
                attempt.Status?.ToString() ?? attempt.Category
            );
        await KeepAsync(
            delivery,
            attempt with
            {
                Sent = request.Copy,
            },
            request.MaxTries ?? DeliverySchedule.Schedule.Length + 1
        );
        // An endpoint that answers can be reached, whatever its answer.
        return !attempt.MayPass || attempt.Arrived;
    }

    /// <summary>
    /// Releases its place in the lane. When the lane is now paused, returns the deliveries that waited there.
    /// </summary>
    /// <param name="reached">Whether the endpoint is there; null: it was not asked.</param>
    private List<Delivery> Finish(Delivery delivery, DeliveryLane lane, bool? reached)
    {
        lock (_gate)
        {
            _underWay--;
            _held.Remove((delivery.Project, delivery.Id));
            if (_stopping.IsCancellationRequested)
                Due.Set();
            if (reached is { } outcome)
                return lane.Finish(outcome, Database.Now) ? lane.TakeWaiting() : [];
            lane.Withdraw();
            return [];
        }
    }

    /// <summary>
    /// Records an attempt. While the database cannot be reached, it tries again, because a lost record would cause the
    /// request to be sent twice. When another node has taken the lease meanwhile, the record has no effect.
    /// </summary>
    private async Task KeepAsync(Delivery delivery, Attempt attempt, long maxTries)
    {
        while (true)
        {
            try
            {
                await _recorder.RecordAsync(delivery, attempt, maxTries);
                return;
            }
            catch (Exception fault) when (fault is StorageUnavailableException or DbException { IsTransient: true })
            {
                DeliveryLog.Waits(Log, fault.Message);
            }
            await Task.Delay(RecordEvery, _clock, _cut.Token);
        }
    }

    private async Task GiveBackAsync(List<Delivery> deliveries, long dueAt)
    {
        lock (_gate)
            _held.ExceptWith(deliveries.Select(d => (d.Project, d.Id)));
        try
        {
            await _store.ReleaseAsync(deliveries, dueAt);
        }
        catch (Exception fault)
        {
            // Their leases run out.
            DeliveryLog.Waits(Log, fault.Message);
        }
    }

    /// <summary>
    /// An attempt that cannot be made or recorded counts as failed, with its reason. It is tried again later and later,
    /// and ends like a delivery that nobody accepts. An unreachable database is not counted.
    /// </summary>
    private async Task SetAsideAsync(Delivery delivery, Exception fault)
    {
        if (fault is StorageUnavailableException)
            return;
        try
        {
            var attempt = new Attempt(Database.Now, 0, null, SendCategory.Failed, null);
            await _recorder.RecordAsync(delivery, attempt, DeliverySchedule.Schedule.Length + 1);
        }
        catch (Exception again)
        {
            // Its lease and its time run out.
            DeliveryLog.Waits(Log, again.Message);
        }
    }
}
