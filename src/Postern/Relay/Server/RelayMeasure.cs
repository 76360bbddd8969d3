namespace Postern.Relay.Server;

/// <summary>The requests that wait at a relay at one moment.</summary>
/// <param name="Planes">Planes that are not revoked.</param>
/// <param name="Count">Stored requests without an answer.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="OldestSeconds">How old the oldest of them is; 0 when there is none.</param>
internal sealed record RelayMeasure(long Planes, long Count, long Bytes, double OldestSeconds);
