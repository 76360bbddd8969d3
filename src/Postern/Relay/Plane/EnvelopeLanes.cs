using System.Collections.Concurrent;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Runs what relays hand over: the envelopes of a lane in the order of their numbers, one after the other; lanes side
/// by side, so many at once. An answer that may be another one later holds its lane and is tried again until it passes
/// or the envelope expires; a fault of ours, five times. While it waits it takes no place.
/// </summary>
internal sealed class EnvelopeLanes(
    EnvelopeDispatch dispatch,
    EnvelopeStore store,
    PosternOptions options,
    Database database,
    TimeProvider clock,
    ILogger<EnvelopeLanes> log
) : IDisposable
{
    /// <summary>Waiting in all lanes; a relay that keeps to its own limits has at most half of them open.</summary>
    private const int Most = 2 * RelayLimits.Open;
    private const int Tries = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(60);
    private readonly ConcurrentDictionary<(string Relay, string Lane), SortedList<long, EnvelopeWork>> _lanes = new();
    private readonly SemaphoreSlim _places = new(options.Relay.Concurrency);
    private readonly CancellationTokenSource _stop = new();
    private int _waiting;

    /// <summary>Envelopes that wait or are run.</summary>
    public int Count => Volatile.Read(ref _waiting);

    /// <summary>Adds an envelope behind those of its lane; false when there are more than a relay may open.</summary>
    public bool Add(EnvelopeWork work)
    {
        var key = (work.Head.Relay, work.Head.Lane);
        while (true)
        {
            var lane = _lanes.GetOrAdd(key, _ => []);
            lock (lane)
            {
                // Its runner has just ended: another one begins anew.
                if (!_lanes.TryGetValue(key, out var there) || !ReferenceEquals(there, lane))
                    continue;
                // Handed over once more while it waits: whoever asked last is answered.
                if (lane.TryGetValue(work.Head.Seq, out var same))
                {
                    same.Answered = work.Answered;
                    return true;
                }
                if (Interlocked.Increment(ref _waiting) > Most)
                {
                    Interlocked.Decrement(ref _waiting);
                    return false;
                }
                var isIdle = lane.Count == 0;
                lane.Add(work.Head.Seq, work);
                if (isIdle)
                    _ = Task.Run(() => RunLaneAsync(key, lane));
                return true;
            }
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _places.Dispose();
    }

    private async Task RunLaneAsync((string Relay, string Lane) key, SortedList<long, EnvelopeWork> lane)
    {
        while (true)
        {
            EnvelopeWork work;
            lock (lane)
                work = lane.Values[0];
            try
            {
                await RunAsync(work);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                // Nothing was answered: the relay hands it over again.
                PlaneLog.EnvelopeFailed(log, work.Head.Id, fault);
            }
            lock (lane)
            {
                lane.Remove(work.Head.Seq);
                Interlocked.Decrement(ref _waiting);
                if (lane.Count > 0)
                    continue;
                _lanes.TryRemove(key, out _);
                return;
            }
        }
    }

    private async Task RunAsync(EnvelopeWork work)
    {
        for (var tries = 1; ; tries++)
        {
            var answer = await TryAsync(work);
            var isOver = work.ExpiresAt - database.Now is var left && left <= 0;
            if (isOver || !(answer.IsTemporary || (answer.Status >= 500 && tries < Tries)))
            {
                var kept = await store.AnswerAsync(work.Head, answer);
                await work.Answered(kept);
                return;
            }
            var pause = answer.RetryAfter is { } seconds
                ? TimeSpan.FromSeconds(Math.Max(seconds, 1))
                : TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, Math.Pow(2, Math.Min(tries - 1, 6))));
            PlaneLog.HoldsLane(log, work.Head.Id, answer.Status, pause);
            await Task.Delay(Min(pause, TimeSpan.FromMicroseconds(left)), clock, _stop.Token);
        }
    }

    private async Task<PlaneAnswer> TryAsync(EnvelopeWork work)
    {
        await _places.WaitAsync(_stop.Token);
        using var patience = new CancellationTokenSource(Patience, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stop.Token);
        try
        {
            return await dispatch.AnswerAsync(work.Head, work.Request, both.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            return new PlaneAnswer(
                504,
                [
                    ["Content-Type", "text/plain"],
                ],
                "The server did not answer."u8.ToArray()
            );
        }
        finally
        {
            _places.Release();
        }
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
