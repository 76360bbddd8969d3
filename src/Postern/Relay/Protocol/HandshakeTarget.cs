namespace Postern.Relay.Protocol;

/// <summary>The request that a plane's proof is made for.</summary>
/// <param name="Relay">The id of the relay that the plane has pinned: another one refuses it.</param>
/// <param name="Path">Without a query.</param>
internal sealed record HandshakeTarget(string Method, string Relay, string Path, ReadOnlyMemory<byte> Body);
