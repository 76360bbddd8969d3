using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// Stores the requests that come for planes. A plane's row gives out the numbers and counts what is stored, so only one
/// transaction at a time can write for a plane. Requests that come meanwhile wait here and are stored together by the
/// next transaction. Each has its own outcome: a request without room is refused alone, in the order of arrival.
///
/// No plane waits for another one, and a request that comes alone does not wait. On a crash, the waiting requests were
/// not acknowledged.
/// </summary>
internal sealed class ArrivalQueue(Database database, RelayIdentity identity)
{
    /// <summary>The most envelopes of one transaction, and their bytes.</summary>
    private const int MostTogether = 256;
    private const long MostBytes = 8 * 1024 * 1024;

    /// <summary>The most requests that may wait for one plane.</summary>
    private const int MostWaiting = 2_000;
    private const long MostWaitingBytes = 64 * 1024 * 1024;

    private readonly Dictionary<string, PlaneQueue> _planes = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <param name="envelope">What came.</param>
    /// <param name="retention">Microseconds that it waits for an answer at most.</param>
    /// <exception cref="StorageBusyException">Too much waits for the database.</exception>
    public async Task<StoreOutcome> StoreAsync(NewEnvelope envelope, long retention)
    {
        var waiting = new WaitingArrival(envelope, retention);
        waiting.Prepare();
        Add(waiting);
        var placed = await waiting.Outcome.Task;
        if (placed.Why is { } why)
            return why;
        var keys = await identity.KeysAsync();
        var receipt = new EnvelopeReceipt(
            keys.Relay,
            envelope.Plane,
            placed.Id,
            placed.Seq,
            placed.At / 1_000_000,
            envelope.Request.Method,
            envelope.Url,
            EnvelopeReceipt.HashOf(envelope.Request.Body.Span)
        );
        return new StoreOutcome.Stored(placed.Seq, placed.Id, receipt.Encode(keys.Current));
    }

    private void Add(WaitingArrival arrival)
    {
        var plane = arrival.Envelope.Plane;
        lock (_lock)
        {
            if (_planes.TryGetValue(plane, out var queue))
            {
                if (
                    queue.Waiting.Count >= MostWaiting
                    || (queue.Waiting.Count > 0 && queue.Bytes + arrival.Envelope.Size > MostWaitingBytes)
                )
                    throw new StorageBusyException("Too many requests for the plane wait to be stored.");
                queue.Add(arrival);
                return;
            }
            _planes[plane] = queue = new PlaneQueue();
            queue.Add(arrival);
        }
        // Runs for many requests at once, so no caller's cancellation may stop it.
        using (ExecutionContext.SuppressFlow())
            _ = Task.Run(() => WriteAllAsync(plane));
    }

    private async Task WriteAllAsync(string plane)
    {
        StorageUse.Begin(new StorageUse(Asker.Request));
        for (var batch = Next(plane); batch.Count > 0; batch = Next(plane))
            await WriteAsync(plane, batch);
    }

    /// <summary>
    /// Returns the requests of the next transaction; none when nobody waits, and then the next request begins anew.
    /// </summary>
    private List<WaitingArrival> Next(string plane)
    {
        var batch = new List<WaitingArrival>();
        lock (_lock)
        {
            var queue = _planes[plane];
            var bytes = 0L;
            while (batch.Count < MostTogether && queue.Waiting.TryPeek(out var next))
            {
                bytes += next.Envelope.Size;
                if (batch.Count > 0 && bytes > MostBytes)
                    break;
                batch.Add(queue.Take());
            }
            if (batch.Count == 0)
                _planes.Remove(plane);
        }
        return batch;
    }

    private async Task WriteAsync(string plane, List<WaitingArrival> batch)
    {
        try
        {
            var keys = await identity.KeysAsync();
            var placed = await database.WriteAsync(tx => ArrivalRows.StoreAsync(tx, plane, batch, keys));
            for (var i = 0; i < batch.Count; i++)
                batch[i].Outcome.SetResult(placed[i]);
        }
        catch (Exception fault) when (batch.Count == 1 || fault is StorageUnavailableException)
        {
            foreach (var arrival in batch)
                arrival.Outcome.SetException(fault);
        }
        catch (Exception)
        {
            // One of them cannot be stored, so it alone fails.
            foreach (var arrival in batch)
                await WriteAsync(plane, [arrival]);
        }
    }

    /// <summary>The requests that wait for one plane. It exists while somebody stores for that plane.</summary>
    private sealed class PlaneQueue
    {
        public Queue<WaitingArrival> Waiting { get; } = new();

        public long Bytes { get; private set; }

        public void Add(WaitingArrival arrival)
        {
            Waiting.Enqueue(arrival);
            Bytes += arrival.Envelope.Size;
        }

        public WaitingArrival Take()
        {
            var arrival = Waiting.Dequeue();
            Bytes -= arrival.Envelope.Size;
            return arrival;
        }
    }
}
