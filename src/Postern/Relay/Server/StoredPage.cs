namespace Postern.Relay.Server;

/// <summary>A question at the relay, sealed. Times are microseconds since 1970.</summary>
/// <param name="EndedAt">When it ended; then <paramref name="Sealed"/> is how. Null while it is open.</param>
internal sealed record StoredPage(long Version, byte[] Sealed, long ExpiresAt, long? EndedAt);
