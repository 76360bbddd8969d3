namespace Postern.Access;

/// <summary>
/// The stored authority of the caller who started a job, for use after the request. It belongs to a key, or to a person
/// without a key who is signed in to the console. <see cref="Mandates"/> returns the present authority for it.
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

    /// <summary>The scopes that the person had then. Later the person can have less, but never more.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];
}
