using Postern.Http;

namespace Postern.Relay.Protocol;

/// <summary>What became of an answer: the outcome of the question, for who has the link's secret.</summary>
internal sealed record SealedOutcome(
    [Member("The version that is bound into the seal.")] long Version,
    [Member("The outcome, sealed, base64url.")] string Sealed
);
