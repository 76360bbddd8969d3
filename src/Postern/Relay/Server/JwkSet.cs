using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>The public keys of a relay, the newest first.</summary>
internal sealed record JwkSet([Member("The keys.")] IReadOnlyList<Jwk> Keys);
