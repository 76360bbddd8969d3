namespace Postern.Access;

/// <summary>What is to change of a key; null leaves it as it is.</summary>
/// <param name="EndsNever">Its expiry is taken away.</param>
internal sealed record KeyChange(
    string? Name = null,
    IReadOnlyList<string>? Scopes = null,
    long? ExpiresAt = null,
    bool EndsNever = false
);
