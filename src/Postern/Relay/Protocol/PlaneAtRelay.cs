namespace Postern.Relay.Protocol;

/// <summary>
/// The state of a plane at its relay, as the relay tells a client that has the plane's key but no connection. It is
/// shown to people and used for nothing else, because no frame's signature covers it.
/// </summary>
/// <param name="Time">The relay's time, in milliseconds since 1970.</param>
/// <param name="Held">Whether one of its connections is given envelopes.</param>
/// <param name="Connections">How many it has.</param>
internal sealed record PlaneAtRelay(long Time, bool Held, int Connections, BacklogSize Backlog, BacklogQuota Quota);
