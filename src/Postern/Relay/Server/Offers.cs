using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>
/// What a holder is given next. Lanes take turns, and each has its order: the backlog of one delays no other. At most
/// 16 of a lane are unanswered, 256 and 8 MiB in all. A plane runs a lane's envelopes one after the other, so a second
/// one of a lane is given only while less than 64 are unanswered: a request that has just come does not wait for what
/// was given ahead of need. It is one connection's, and used by one thread at a time.
/// </summary>
internal sealed class Offers
{
    /// <summary>The most envelopes that are known here before they are sent, without their bytes.</summary>
    public const int Most = 20_000;

    private readonly Dictionary<string, LaneState> _lanes = new(StringComparer.Ordinal);

    /// <summary>Lanes of which nothing is unanswered, in turn.</summary>
    private readonly Queue<LaneState> _idle = new();

    /// <summary>The others, in turn. One that has become idle meanwhile is passed over.</summary>
    private readonly Queue<LaneState> _busy = new();
    private readonly Dictionary<long, WaitingEnvelope> _open = [];
    private long _openBytes;

    /// <summary>The highest number that was added.</summary>
    public long Last { get; private set; }

    /// <summary>Envelopes that were not taken yet.</summary>
    public int Waiting { get; private set; }

    /// <summary>Envelopes that were taken and are not done.</summary>
    public IReadOnlyCollection<WaitingEnvelope> Open => _open.Values;

    public void Clear()
    {
        _lanes.Clear();
        _idle.Clear();
        _busy.Clear();
        _open.Clear();
        (_openBytes, Last, Waiting) = (0, 0, 0);
    }

    /// <param name="envelope">With a higher number than those before it.</param>
    public void Add(WaitingEnvelope envelope)
    {
        if (!_lanes.TryGetValue(envelope.Lane, out var lane))
            _lanes[envelope.Lane] = lane = new LaneState();
        lane.Waiting.Enqueue(envelope);
        Last = Math.Max(Last, envelope.Seq);
        Waiting++;
        GiveTurn(lane);
    }

    /// <summary>Takes the next envelope. Returns null when there is none, or when too much is unanswered.</summary>
    public WaitingEnvelope? Next()
    {
        if (NextLane() is not { } lane)
            return null;
        var envelope = lane.Waiting.Peek();
        // An envelope larger than the whole limit is sent alone.
        if (_open.Count > 0 && _openBytes + envelope.Size > RelayLimits.OpenBytes)
            return null;
        lane.Turn!.Dequeue();
        lane.Turn = null;
        lane.Waiting.Dequeue();
        lane.Open++;
        Waiting--;
        _open[envelope.Seq] = envelope;
        _openBytes += envelope.Size;
        GiveTurn(lane);
        return envelope;
    }

    /// <summary>Records that an envelope was answered or is gone.</summary>
    public void Done(long seq)
    {
        if (!_open.Remove(seq, out var envelope))
            return;
        _openBytes -= envelope.Size;
        var lane = _lanes[envelope.Lane];
        lane.Open--;
        if (lane is { Open: 0, Waiting.Count: 0 })
            _lanes.Remove(envelope.Lane);
        else
            GiveTurn(lane);
    }

    private LaneState? NextLane() =>
        _open.Count >= RelayLimits.Open ? null
        : First(_idle) is { } idle ? idle
        : _open.Count < RelayLimits.OpenAhead ? First(_busy)
        : null;

    private static LaneState? First(Queue<LaneState> turns)
    {
        while (turns.TryPeek(out var lane))
        {
            if (lane.Turn == turns)
                return lane;
            turns.Dequeue();
        }
        return null;
    }

    private void GiveTurn(LaneState lane)
    {
        var turns = lane.Open == 0 ? _idle : _busy;
        if (lane.Turn == turns || lane.Waiting.Count == 0 || lane.Open >= RelayLimits.OpenOfLane)
            return;
        lane.Turn = turns;
        turns.Enqueue(lane);
    }

    private sealed class LaneState
    {
        public Queue<WaitingEnvelope> Waiting { get; } = new();

        public int Open { get; set; }

        /// <summary>Where it waits for its turn.</summary>
        public Queue<LaneState>? Turn { get; set; }
    }
}
