namespace Postern.Relay.Protocol;

/// <summary>The unanswered requests of a plane that a relay stores.</summary>
/// <param name="Oldest">When the oldest came, in milliseconds since 1970; null when there is none.</param>
internal sealed record BacklogSize(long Envelopes, long Bytes, long? Oldest = null);
