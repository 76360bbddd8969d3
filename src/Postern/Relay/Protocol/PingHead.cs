namespace Postern.Relay.Protocol;

/// <summary>From both sides, every 10 s between other frames. Any byte that arrives counts as life.</summary>
/// <param name="N">Counts on, a connection and a direction.</param>
/// <param name="Time">The sender's time, in milliseconds since 1970.</param>
/// <param name="Backlog">From the relay: what the plane has stored there now.</param>
/// <param name="Quota">From the relay: what it may have stored.</param>
internal sealed record PingHead(long N, long Time, BacklogSize? Backlog = null, BacklogQuota? Quota = null) : FrameHead;
