using Postern.Http;

namespace Postern.Relay.Protocol;

/// <summary>The sealed answer of a person. Only the server that asked can read it.</summary>
internal sealed record PageAnswer(
    [Text("22 characters of the sender's choice, base64url: bound into the seal.", 22, 22)] string Nonce,
    [Text("The answer, sealed, base64url.", 1, 65_500)] string Sealed
);
