using Postern.Settings;

namespace Postern.Deliveries;

/// <summary>
/// What this node is doing for one endpoint: how many requests are under way, what was claimed and waits for one of
/// them, and the circuit. An endpoint has its own lane, so one that hangs holds its own places and nobody else's. After
/// some failures in a row the circuit opens: nothing is sent, no attempt is spent, until a pause is over; then one
/// delivery is tried, and its outcome closes the circuit or doubles the pause. All members are called under the
/// worker's lock.
/// </summary>
internal sealed class DeliveryLane(DeliveryOptions options)
{
    private const int MaxDoublings = 6;

    /// <summary>Microseconds.</summary>
    private const long ForgetAfter = 600L * 1_000_000;

    /// <summary>
    /// After so long without a request the rate is whole again; a lane that was forgotten before would begin with a
    /// whole one each time.
    /// </summary>
    private const long RateFull = 1_000_000;
    private readonly Queue<Delivery> _waiting = new();
    private int _underWay;
    private int _failures;
    private int _pauses;
    private long _pausedUntil;
    private long _failedAt;
    private double _tokens;
    private long _tokensAt;
    private bool _learned;

    /// <summary>What the endpoint asked for.</summary>
    public long? RatePerSecond { get; private set; }

    /// <summary>
    /// How fast the endpoint wants to be sent to stands with its requests: until the first of them has been made, one
    /// is under way and no more. True: this was the first, and others may follow.
    /// </summary>
    public bool Learn(long? ratePerSecond, long now)
    {
        var first = !_learned;
        if (first)
            (_tokens, _tokensAt) = ((ratePerSecond ?? 1) - 1, now);
        (_learned, RatePerSecond) = (true, ratePerSecond);
        return first;
    }

    /// <summary>
    /// Nothing of it is worth keeping: failures are forgotten once nothing has been sent for a while, or every address
    /// that ever failed would be kept.
    /// </summary>
    public bool IsIdle(long now) =>
        _underWay == 0
        && _waiting.Count == 0
        && (RatePerSecond is null || now - _tokensAt > RateFull)
        && (_failures == 0 || now - Math.Max(_failedAt, _pausedUntil) > ForgetAfter);

    public bool IsOpen(long now) => _pausedUntil > now;

    public long PausedUntil => _pausedUntil;

    /// <summary>
    /// How many more to claim. Twice the places while all is well, so that a place that becomes free has its next at
    /// hand; one to try with after a pause.
    /// </summary>
    public int Room(long now)
    {
        if (IsOpen(now))
            return 0;
        var held = _underWay + _waiting.Count;
        if (_pauses > 0)
            return held == 0 ? 1 : 0;
        // No more than goes out well before the lease on it ends.
        var most =
            RatePerSecond is { } rate ? (int)Math.Min(options.EndpointConcurrency, rate * 10)
            : _failures > 0 ? options.EndpointConcurrency
            : options.EndpointConcurrency * 2;
        // Claimed in handfuls: a claim is a commit.
        return held <= most / 2 ? most - held : 0;
    }

    public void Add(Delivery delivery) => _waiting.Enqueue(delivery);

    /// <summary>The next to send, whose place is then taken; null when there is none or it is not the time.</summary>
    public Delivery? Start(long now)
    {
        if (
            _waiting.Count == 0
            || _underWay >= (_learned ? options.EndpointConcurrency : 1)
            || IsOpen(now)
            || !TakeToken(now)
        )
            return null;
        _underWay++;
        return _waiting.Dequeue();
    }

    /// <summary>When the endpoint's rate lets the next one go; null when no rate holds it back.</summary>
    public long? NextTokenAt(long now) =>
        RatePerSecond is { } rate && _waiting.Count > 0 && _tokens < 1
            ? now + (long)((1 - _tokens) * 1_000_000 / rate)
            : null;

    /// <summary>A place is free again. True: the circuit has just opened, and what waits is to be given back.</summary>
    public bool Finish(bool reached, long now)
    {
        _underWay--;
        if (reached)
        {
            (_failures, _pauses) = (0, 0);
            return false;
        }
        _failures++;
        _failedAt = now;
        if (_failures < options.CircuitFailures && _pauses == 0)
            return false;
        if (IsOpen(now))
            return false;
        _pausedUntil = now + (options.CircuitSeconds * 1_000_000L << Math.Min(_pauses, MaxDoublings));
        _pauses++;
        return true;
    }

    /// <summary>Nothing was sent after all: the place is free, and nothing is said about the endpoint.</summary>
    public void Withdraw() => _underWay--;

    public List<Delivery> TakeWaiting()
    {
        List<Delivery> waiting = [.. _waiting];
        _waiting.Clear();
        return waiting;
    }

    private bool TakeToken(long now)
    {
        if (RatePerSecond is not { } rate)
            return true;
        _tokens = Math.Min(rate, _tokens + ((now - _tokensAt) * rate / 1_000_000.0));
        _tokensAt = now;
        if (_tokens < 1)
            return false;
        _tokens--;
        return true;
    }
}
