using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// The requests that this node holds open: streams, and those that wait for an answer. Twice a second, and at once when
/// something about access changed, it looks at each, so that what ends a caller's authority ends what it has open.
/// </summary>
internal sealed class StreamRegistry(
    Database database,
    AccessWatch access,
    Audit audit,
    CredentialReader credentials,
    PosternOptions options,
    TimeProvider clock
) : BackgroundService
{
    /// <summary>Streams in a wave that is worth a collection.</summary>
    private const int CollectAfter = 1000;
    private static readonly TimeSpan CollectEvery = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);
    private readonly ConcurrentDictionary<IHeldRequest, byte> _held = new();
    private readonly ConcurrentDictionary<(string Project, string Credential, string Name), int> _open = new();
    private readonly Meter _meter = new("Postern");
    private volatile bool _stopping;
    private int _lastCount;
    private int _collectedAt;
    private long _collected;

    public TimeProvider Clock => clock;

    public long Now => database.Now;

    public int Count => _held.Count;

    /// <summary>Takes a place among those that a caller may hold open; given back by <see cref="Leave"/>.</summary>
    /// <exception cref="QuotaReachedException">It has as many open as it may.</exception>
    public void Enter(ProjectCaller caller)
    {
        var narrow = caller.Authority.Bucket is not null || caller.Authority.Worker is not null;
        var (name, most) = narrow
            ? (nameof(QuotaOptions.StreamsPerToken), options.Quotas.StreamsPerToken)
            : (nameof(QuotaOptions.StreamsPerKey), options.Quotas.StreamsPerKey);
        if (_open.AddOrUpdate(HolderOf(caller), 1, (_, open) => open + 1) <= most || most == 0)
            return;
        Leave(caller);
        throw new QuotaReachedException(ProjectQuota.Reached(429, name, most));
    }

    public void Leave(ProjectCaller caller)
    {
        var holder = HolderOf(caller);
        // Whoever has none open any more is forgotten.
        if (_open.AddOrUpdate(holder, 0, (_, open) => open - 1) <= 0)
            _open.TryRemove(new KeyValuePair<(string, string, string), int>(holder, 0));
    }

    /// <summary>Returns how many are open of each project that has one.</summary>
    public IEnumerable<KeyValuePair<string, int>> OpenByProject() =>
        _open
            .GroupBy(open => open.Key.Project, open => open.Value, StringComparer.Ordinal)
            .Select(open => new KeyValuePair<string, int>(open.Key, open.Sum()));

    private static (string Project, string Credential, string Name) HolderOf(ProjectCaller caller) =>
        (caller.Project, caller.Authority.Credential, caller.Authority.Name);

    public void Add(IHeldRequest stream)
    {
        _held.TryAdd(stream, 0);
        if (_stopping)
            stream.End(StreamEnd.Shutdown);
    }

    /// <summary>A stream ends; what somebody has taken away from its reader is kept in the audit.</summary>
    public void Ended(HttpContext http, ProjectCaller caller, string? why)
    {
        if (why is StreamEnd.Revoked or StreamEnd.Forbidden)
            audit.StreamWasEnded(http, caller, why, credentials.AddressOf(http));
    }

    /// <summary>For a handler that waits: it ends with what ends its caller.</summary>
    public HeldWait Wait(HttpContext http, ProjectCaller caller) => new(this, http, caller);

    public void Remove(IHeldRequest stream) => _held.TryRemove(stream, out _);

    /// <summary>
    /// The server is going down: every stream ends with its reason, so that clients come back to another node.
    /// </summary>
    public void EndAll()
    {
        _stopping = true;
        foreach (var stream in _held.Keys)
            stream.End(StreamEnd.Shutdown);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _meter.CreateObservableGauge("postern.streams.open", () => Count, "{stream}", "Open event streams");
        access.Changed += LookAtAll;
        try
        {
            using var timer = new PeriodicTimer(LookEvery, clock);
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                LookAtAll();
                GiveBackMemory();
            }
        }
        catch (OperationCanceledException)
        {
            // The server is stopping.
        }
        finally
        {
            access.Changed -= LookAtAll;
        }
    }

    public override void Dispose()
    {
        _meter.Dispose();
        base.Dispose();
    }

    /// <summary>
    /// Opening a stream leaves behind twice of what an open one keeps, and idle streams allocate nothing that would
    /// make the collector look. Once a wave of many has come to rest it is asked to.
    /// </summary>
    private void GiveBackMemory()
    {
        var (count, before) = (Count, _lastCount);
        _lastCount = count;
        if (count < _collectedAt)
            _collectedAt = count;
        if (count > before || count - _collectedAt < CollectAfter)
            return;
        // It stops everything for a moment: whoever opens and closes streams does not make it come again and again.
        if (_collected != 0 && clock.GetElapsedTime(_collected) < CollectEvery)
            return;
        (_collectedAt, _collected) = (count, clock.GetTimestamp());
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private void LookAtAll()
    {
        foreach (var stream in _held.Keys)
            stream.Look();
    }
}
