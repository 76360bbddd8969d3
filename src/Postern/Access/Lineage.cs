namespace Postern.Access;

/// <summary>What a derived token inherits: the key at the beginning of its line, and every token between.</summary>
/// <param name="Key">The key behind it; the root key for a token that a client signed by itself.</param>
/// <param name="KeySecret">
/// The digest of the key's secret that was used, so that a rotation ends what the old secret made. Null where nobody
/// can tell which it was: what comes of it then has no seal either.</param>
/// <param name="Tokens">
/// The names of the tokens that it descends from, the first one first: what ends one of them ends it.
/// </param>
/// <param name="Since">When the first of the line was issued, microseconds; null for a key.</param>
/// <param name="Person">The person for whom the line is held.</param>
/// <param name="Client">The client that holds it.</param>
internal sealed record Lineage(
    KeyEntry Key,
    byte[]? KeySecret,
    IReadOnlyList<string> Tokens,
    long? Since,
    string? Person = null,
    string? Client = null
);
