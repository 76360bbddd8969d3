using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// How far a relay's clock is from this server's, by what the relay has signed. Instants of the relay are compared
/// after they were set right by it.
/// </summary>
internal sealed class PlaneClock(Database database)
{
    private long _off;

    /// <summary>Microseconds that the relay's clock is ahead.</summary>
    public long Off => Interlocked.Read(ref _off);

    /// <summary>The relay has signed its time, in milliseconds since 1970.</summary>
    public void Learn(long timeAtRelay) => Interlocked.Exchange(ref _off, (timeAtRelay * 1000) - database.Now);

    /// <summary>An instant of the relay (milliseconds) by this server's clock (microseconds).</summary>
    public long Here(long milliseconds) => (milliseconds * 1000) - Off;

    /// <summary>The relay's time now, in milliseconds since 1970.</summary>
    public long There => (database.Now + Off) / 1000;
}
