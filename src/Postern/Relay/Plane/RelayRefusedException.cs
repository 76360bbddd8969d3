namespace Postern.Relay.Plane;

/// <summary>Thrown when the relay did not let this server in, or could not be reached.</summary>
/// <param name="step">Where it failed: name, connect, tls, upgrade, or the code of a refusal.</param>
/// <param name="message">For people.</param>
internal sealed class RelayRefusedException(string step, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public string Step => step;

    /// <summary>Whether something in between refuses WebSockets. The next try then uses requests.</summary>
    public bool IsOfUpgrade => step == "upgrade";

    /// <summary>
    /// The relay's time in milliseconds since 1970, set when the relay has signed that this server's clock differs.
    /// </summary>
    public long? TimeAtRelay { get; init; }
}
