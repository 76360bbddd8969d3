namespace Postern.Access;

/// <summary>A change of a key. A null member leaves that part as it is.</summary>
/// <param name="EndsNever">Its expiry is taken away.</param>
internal sealed record KeyChange(
    string? Name = null,
    IReadOnlyList<string>? Scopes = null,
    long? ExpiresAt = null,
    bool EndsNever = false
);
