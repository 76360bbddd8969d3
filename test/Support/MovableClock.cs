namespace Postern.Support;

/// <summary>
/// The clocks of a test. The database's time can be moved on, and the machine's clock can be set wrongly. What the
/// server measures for itself (pauses, the length of a stream) is real time.
/// </summary>
internal sealed class MovableClock : TimeProvider
{
    private long _ahead;
    private long _wrong;

    public MovableClock() => OfDatabase = new Moved(this);

    /// <summary>The clock by which a database counts its time.</summary>
    public TimeProvider OfDatabase { get; }

    /// <summary>Lets time pass in the database.</summary>
    public void Advance(TimeSpan by) => Interlocked.Add(ref _ahead, by.Ticks);

    /// <summary>Sets the machine's clock; no time passes.</summary>
    public void SetWrong(TimeSpan by) => Interlocked.Exchange(ref _wrong, by.Ticks);

    public override DateTimeOffset GetUtcNow() =>
        base.GetUtcNow().AddTicks(Interlocked.Read(ref _ahead) + Interlocked.Read(ref _wrong));

    private sealed class Moved(MovableClock clock) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();

        public override long GetTimestamp() =>
            clock.GetTimestamp()
            + (long)(Interlocked.Read(ref clock._ahead) * ((double)TimestampFrequency / TimeSpan.TicksPerSecond));
    }
}
