namespace Postern.Relay.Protocol;

/// <summary>How a question ended, as its server has sealed it (<see cref="PageSeal.Outcome"/>).</summary>
/// <param name="Status">A decision, or <c>pending</c>: it has not ended.</param>
/// <param name="Words">The same as a sentence.</param>
/// <param name="Nonce">Of the answer that it is told to; null for who opens the page.</param>
internal sealed record ShownOutcome(
    string Status,
    string? Title,
    string Words,
    string? Feedback,
    string? DecidedAt,
    string? Nonce
);
