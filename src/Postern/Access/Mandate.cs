namespace Postern.Access;

/// <summary>
/// What is kept of the authority of who started a job, which goes on when the request is over. It is a key's, or that
/// of a person without one, who is signed in to the console. <see cref="Mandates"/> makes the authority of it that it
/// is now.
/// </summary>
/// <param name="Credential">The kind of credential, for the audit and the timelines.</param>
/// <param name="Actor">Who, as it may be kept and logged.</param>
internal sealed record Mandate(string Credential, string Actor)
{
    public string? KeyId { get; init; }

    /// <summary>The digest of the key's secret that was presented.</summary>
    public byte[]? Secret { get; init; }

    /// <summary>The person's name; null for a key.</summary>
    public string? Identity { get; init; }

    /// <summary>The session of the console; null for a key.</summary>
    public string? Session { get; init; }

    /// <summary>What the person could do then: he never can do more later.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];
}
