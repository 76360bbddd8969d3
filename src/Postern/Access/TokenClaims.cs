using System.Text.Json;

namespace Postern.Access;

/// <summary>The claims of a token. Times are microseconds.</summary>
internal sealed record TokenClaims
{
    /// <summary>The claim <c>sub</c>.</summary>
    public required string Project { get; init; }

    /// <summary>
    /// The claim <c>act.sub</c>, or <c>sub</c> without it: the person to whom the token belongs, for revocation.
    /// </summary>
    public required string Subject { get; init; }

    /// <summary><c>act.client</c>.</summary>
    public string? Client { get; init; }

    public IReadOnlyList<string> Scopes { get; init; } = [];

    public long IssuedAt { get; init; }

    public long ExpiresAt { get; init; }

    public string? Jti { get; init; }

    public bool OneTime { get; init; }

    /// <summary>The run and the attempt for which it was made.</summary>
    public Worker? Worker { get; init; }

    /// <summary>The id of the key that minted it, or that minted the first of its line.</summary>
    public string? Key { get; init; }

    /// <summary>
    /// The proof that this server minted it with that key. A client that signs by itself cannot make it.
    /// </summary>
    public string? Seal { get; init; }

    /// <summary>The names (<c>jti</c> or digest) of the tokens that it is derived from, the first one first.</summary>
    public IReadOnlyList<string> Ancestors { get; init; } = [];

    /// <summary>When the first of its line was issued.</summary>
    public long? Since { get; init; }

    /// <summary>The text that a seal covers: everything that gives a right or ends it.</summary>
    public string SealedText =>
        JsonSerializer.Serialize(
            new object?[] { Project, Subject, Client, Jti, ExpiresAt, IssuedAt, OneTime, Since, Key, Ancestors, Scopes }
        );
}
