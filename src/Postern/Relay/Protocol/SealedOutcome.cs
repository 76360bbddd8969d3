using Postern.Http;

namespace Postern.Relay.Protocol;

/// <summary>The outcome of a question after an answer. It opens with the secret of the link.</summary>
internal sealed record SealedOutcome(
    [Member("The version that is bound into the seal.")] long Version,
    [Member("The outcome, sealed, base64url.")] string Sealed
);
