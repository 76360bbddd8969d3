using System.Collections.Concurrent;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Runs the envelopes that relays hand over. The envelopes of one lane run one after the other, in the order of their
/// numbers; lanes run side by side, up to a limit. A temporary answer holds its lane: the envelope is tried again until
/// the answer is final or the envelope expires. A fault of this server is tried five times. A lane that waits for its
/// next try takes no place.
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
    /// <summary>
    /// The most envelopes that wait in all lanes. A relay that keeps to its own limits has at most half of them open.
    /// </summary>
    private const int Most = 2 * RelayLimits.Open;
    private const int Tries = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(60);
    private readonly ConcurrentDictionary<(string Relay, string Lane), SortedList<long, EnvelopeWork>> _lanes = new();
    private readonly SemaphoreSlim _places = new(options.Relay.Concurrency);
    private readonly CancellationTokenSource _stop = new();
    private int _waiting;

    /// <summary>Number of envelopes that wait or run.</summary>
    public int Count => Volatile.Read(ref _waiting);

    /// <summary>
    /// Adds an envelope to the end of its lane. Returns false when there are more envelopes than a relay may open.
    /// </summary>
    public bool Add(EnvelopeWork work)
    {
        var key = (work.Head.Relay, work.Head.Lane);
        while (true)
        {
            var lane = _lanes.GetOrAdd(key, _ => []);
            lock (lane)
            {
                // The lane's runner has just ended, so a new one begins.
                if (!_lanes.TryGetValue(key, out var there) || !ReferenceEquals(there, lane))
                    continue;
                // The relay hands over an envelope that already waits here. The latest request gets the answer.
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
                // Nothing was answered, so the relay hands the envelope over again.
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
