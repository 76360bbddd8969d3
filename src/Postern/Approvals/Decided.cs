namespace Postern.Approvals;

/// <summary>A decision with its syntax checked, from any route.</summary>
/// <param name="Word">One of <see cref="Decision"/>, never cancelled.</param>
/// <param name="With">How it came: <c>service</c>, <c>key</c>, <c>token</c>, <c>link</c>, <c>server</c>.</param>
/// <param name="By">Who: the key's id, the token's subject; null for a service, which is the question's own.</param>
/// <param name="Response">JSON, as it came.</param>
/// <param name="PayloadHash">Of what the person was shown; null where it was not said.</param>
internal sealed record Decided(
    string Word,
    string With,
    string? By,
    string? Feedback = null,
    byte[]? Response = null,
    string? PayloadHash = null
);
