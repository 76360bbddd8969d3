namespace Postern.Relay.Server;

/// <summary>A stored envelope without its bytes.</summary>
/// <param name="ExpiresAt">Microseconds since 1970.</param>
internal sealed record WaitingEnvelope(long Seq, string Id, string Lane, long Size, long ExpiresAt);
