using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Postern.Access;
using Postern.Storage;

namespace Postern.Live;

/// <summary>A request that is held open: a stream, or one that waits for an answer.</summary>
internal interface IHeldRequest : IDisposable
{
    /// <summary>Called twice a second, and when something about access changed: whatever is due is done.</summary>
    void Look();

    /// <summary>It ends, with a reason.</summary>
    void End(string reason);
}

/// <summary>
/// The requests that this node holds open: streams, and those that wait for an answer. Twice a second, and at once when something about access
/// changed, it looks at each, so that what ends a caller's authority ends what it has open.
/// </summary>
internal sealed class StreamRegistry(Database database, AccessWatch access, TimeProvider clock) : BackgroundService
{
    /// <summary>Streams in a wave that is worth a collection.</summary>
    private const int CollectAfter = 1000;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);
    private readonly ConcurrentDictionary<IHeldRequest, byte> _held = new();
    private readonly Meter _meter = new("Postern");
    private volatile bool _stopping;
    private int _lastCount;
    private int _collectedAt;

    public TimeProvider Clock => clock;

    public long Now => database.Now;

    public int Count => _held.Count;

    public void Add(IHeldRequest stream)
    {
        _held.TryAdd(stream, 0);
        if (_stopping) stream.End(StreamEnd.Shutdown);
    }

    /// <summary>For a handler that waits: it ends with what ends its caller.</summary>
    public HeldWait Wait(HttpContext http, ProjectCaller caller) => new(this, http, caller);

    public void Remove(IHeldRequest stream) => _held.TryRemove(stream, out _);

    /// <summary>The server is going down: every stream ends with its reason, so that clients come back to another node.</summary>
    public void EndAll()
    {
        _stopping = true;
        foreach (var stream in _held.Keys) stream.End(StreamEnd.Shutdown);
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
    /// Opening a stream leaves behind twice of what an open one keeps, and idle streams allocate nothing that would make the
    /// collector look. Once a wave of many has come to rest it is asked to.
    /// </summary>
    private void GiveBackMemory()
    {
        var (count, before) = (Count, _lastCount);
        _lastCount = count;
        if (count < _collectedAt) _collectedAt = count;
        if (count > before || count - _collectedAt < CollectAfter) return;
        _collectedAt = count;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private void LookAtAll()
    {
        foreach (var stream in _held.Keys) stream.Look();
    }
}
