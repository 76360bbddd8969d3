using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Measures how far a relay's clock is from this server's, from the times that the relay signs. Instants from the relay
/// are corrected with it before they are compared.
/// </summary>
internal sealed class PlaneClock(Database database)
{
    private long _off;

    /// <summary>Microseconds that the relay's clock is ahead.</summary>
    public long Off => Interlocked.Read(ref _off);

    /// <summary>Records a time that the relay has signed, in milliseconds since 1970.</summary>
    public void Learn(long timeAtRelay) => Interlocked.Exchange(ref _off, (timeAtRelay * 1000) - database.Now);

    /// <summary>Converts an instant of the relay (milliseconds) to this server's clock (microseconds).</summary>
    public long Here(long milliseconds) => (milliseconds * 1000) - Off;

    /// <summary>The relay's time now, in milliseconds since 1970.</summary>
    public long There => (database.Now + Off) / 1000;
}
