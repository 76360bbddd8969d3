namespace Postern.Relay.Plane;

/// <summary>The relay did not let this server in, or could not be reached.</summary>
/// <param name="step">Where it failed: name, connect, tls, upgrade, or the code of a refusal.</param>
/// <param name="words">For people.</param>
internal sealed class RelayRefusedException(string step, string words, Exception? inner = null)
    : Exception(words, inner)
{
    public string Step => step;

    /// <summary>What stands in between takes no WebSocket: the next try is by requests.</summary>
    public bool IsOfUpgrade => step == "upgrade";

    /// <summary>The relay's own time, where its key says that this server's differs; milliseconds since 1970.</summary>
    public long? TimeAtRelay { get; init; }
}
