using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>An envelope that was opened and is well formed.</summary>
/// <param name="Digest">SHA-256 of what it holds, in hex: the same envelope has the same one.</param>
internal sealed record TakenEnvelope(EnvelopeHead Head, RelayedRequest Request, string Digest);
