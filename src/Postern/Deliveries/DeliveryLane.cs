using Postern.Settings;

namespace Postern.Deliveries;

/// <summary>
/// This node's work for one endpoint: requests under way, claimed deliveries that wait for a place, and the circuit.
/// Each endpoint has its own lane, so an endpoint that hangs uses up only its own places. After some failures in a row
/// the circuit opens: nothing is sent and no attempt is used until a pause is over. Then one delivery is tried; its
/// outcome closes the circuit or doubles the pause. All members are called under the worker's lock.
/// </summary>
internal sealed class DeliveryLane(DeliveryOptions options)
{
    private const int MaxDoublings = 6;

    /// <summary>Microseconds.</summary>
    private const long ForgetAfter = 600L * 1_000_000;

    /// <summary>
    /// After so long without a request, the rate limit is full again. A lane that was forgotten earlier would begin
    /// with a full one each time.
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

    /// <summary>The pause that the endpoint asked for.</summary>
    public long? RatePerSecond { get; private set; }

    /// <summary>
    /// The endpoint's rate limit is known only after its first request was prepared; until then one request runs at a
    /// time. Returns true for that first request: the caller may then start more.
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
    /// Nothing in it must be kept. Failures are forgotten after a while without a request; otherwise every address that
    /// ever failed would be kept.
    /// </summary>
    public bool IsIdle(long now) =>
        _underWay == 0
        && _waiting.Count == 0
        && (RatePerSecond is null || now - _tokensAt > RateFull)
        && (_failures == 0 || now - Math.Max(_failedAt, _pausedUntil) > ForgetAfter);

    public bool IsOpen(long now) => _pausedUntil > now;

    public long PausedUntil => _pausedUntil;

    /// <summary>
    /// Returns how many more to claim: twice the places while all is well, so that a free place has its next delivery
    /// ready; one for the try after a pause.
    /// </summary>
    public int Room(long now)
    {
        if (IsOpen(now))
            return 0;
        var held = _underWay + _waiting.Count;
        if (_pauses > 0)
            return held == 0 ? 1 : 0;
        // No more than can be sent well before their lease ends.
        var most =
            RatePerSecond is { } rate ? (int)Math.Min(options.EndpointConcurrency, rate * 10)
            : _failures > 0 ? options.EndpointConcurrency
            : options.EndpointConcurrency * 2;
        // Claims several at once, because a claim is a commit.
        return held <= most / 2 ? most - held : 0;
    }

    public void Add(Delivery delivery) => _waiting.Enqueue(delivery);

    /// <summary>
    /// Takes a place and returns the next delivery to send, or null when there is none or it is too early.
    /// </summary>
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

    /// <summary>Returns when the endpoint's rate allows the next one, or null when no rate holds it back.</summary>
    public long? NextTokenAt(long now) =>
        RatePerSecond is { } rate && _waiting.Count > 0 && _tokens < 1
            ? now + (long)((1 - _tokens) * 1_000_000 / rate)
            : null;

    /// <summary>
    /// Releases a place. Returns true when the circuit has just opened and the waiting deliveries must be released.
    /// </summary>
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

    /// <summary>Releases a place when nothing was sent; this says nothing about the endpoint.</summary>
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
