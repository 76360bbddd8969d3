using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// The requests that this node holds open: streams, and requests that wait for an answer. Twice a second, and at once
/// when access has changed, it checks each of them. So when a caller's authority ends, its open requests end too.
/// </summary>
internal sealed partial class StreamRegistry(
    Database database,
    AccessWatch access,
    Audit audit,
    CredentialReader credentials,
    PosternOptions options,
    TimeProvider clock,
    ILogger<StreamRegistry> log
) : BackgroundService
{
    /// <summary>The number of closed streams that is worth a garbage collection.</summary>
    private const int CollectAfter = 1000;
    private static readonly TimeSpan CollectEvery = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);
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

    /// <summary>Takes one of the places of a caller; <see cref="Leave"/> releases it.</summary>
    /// <exception cref="QuotaReachedException">It has as many open as it may.</exception>
    public void Enter(ProjectCaller caller)
    {
        var (name, most) = caller.Authority.HasStreamsOfToken
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
        // A caller without an open request is forgotten.
        if (_open.AddOrUpdate(holder, 0, (_, open) => open - 1) <= 0)
            _open.TryRemove(new KeyValuePair<(string, string, string), int>(holder, 0));
    }

    /// <summary>Counts the open requests by project.</summary>
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

    /// <summary>Ends a stream. When its reader has lost the right, that is written to the audit.</summary>
    public void Ended(HttpContext http, ProjectCaller caller, string? why)
    {
        if (why is StreamEnd.Revoked or StreamEnd.Forbidden)
            audit.StreamWasEnded(http, caller, why, credentials.AddressOf(http));
    }

    /// <summary>For a handler that waits: it ends when its caller's authority ends.</summary>
    public HeldWait Wait(HttpContext http, ProjectCaller caller) => new(this, http, caller);

    public void Remove(IHeldRequest stream) => _held.TryRemove(stream, out _);

    /// <summary>
    /// The server stops: every stream ends with its reason, so that clients reconnect to another node.
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
        access.Changed += CheckAll;
        try
        {
            using var timer = new PeriodicTimer(PollInterval, clock);
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                CheckAll();
                GiveBackMemory();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server is stopping.
        }
        finally
        {
            access.Changed -= CheckAll;
        }
    }

    public override void Dispose()
    {
        _meter.Dispose();
        base.Dispose();
    }

    /// <summary>
    /// Opening a stream leaves twice the memory of an open one behind, and idle streams allocate nothing that would
    /// start the collector. So it is started when a wave of many streams has settled.
    /// </summary>
    private void GiveBackMemory()
    {
        var (count, before) = (Count, _lastCount);
        _lastCount = count;
        if (count < _collectedAt)
            _collectedAt = count;
        if (count > before || count - _collectedAt < CollectAfter)
            return;
        // A collection stops everything for a moment, so callers that open and close streams must not cause many.
        if (_collected != 0 && clock.GetElapsedTime(_collected) < CollectEvery)
            return;
        (_collectedAt, _collected) = (count, clock.GetTimestamp());
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    /// <summary>
    /// Also called after a change of access. A fault of one request must neither fail that change nor reach the other
    /// requests.
    /// </summary>
    private void CheckAll()
    {
        foreach (var stream in _held.Keys)
        {
            try
            {
                stream.Look();
            }
            catch (Exception fault)
            {
                LookFailed(log, fault);
            }
        }
    }

    [LoggerMessage(EventId = 201, Level = LogLevel.Error, Message = "A waiting request could not be checked")]
    private static partial void LookFailed(ILogger log, Exception fault);
}
