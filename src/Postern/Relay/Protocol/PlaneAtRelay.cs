namespace Postern.Relay.Protocol;

/// <summary>
/// How a plane stands at its relay, as the relay tells whoever has its key and no connection: for people, and nothing
/// else is done with it, since no frame's signature covers it.
/// </summary>
/// <param name="Time">The relay's time, in milliseconds since 1970.</param>
/// <param name="Held">Whether one of its connections is given envelopes.</param>
/// <param name="Connections">How many it has.</param>
internal sealed record PlaneAtRelay(long Time, bool Held, int Connections, BacklogSize Backlog, BacklogQuota Quota);
