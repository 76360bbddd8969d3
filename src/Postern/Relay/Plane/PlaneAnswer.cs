namespace Postern.Relay.Plane;

/// <summary>This server's answer to an envelope: the part that is passed to the caller.</summary>
/// <param name="Headers">Pairs of name and value.</param>
internal sealed record PlaneAnswer(int Status, IReadOnlyList<string[]> Headers, byte[] Body)
{
    /// <summary>Seconds that the server asked to wait; null when it did not say.</summary>
    public int? RetryAfter =>
        Headers.FirstOrDefault(h => h[0] == "Retry-After") is { } said && int.TryParse(said[1], out var seconds)
            ? Math.Clamp(seconds, 0, 3600)
            : null;

    /// <summary>Whether the answer is temporary. It is not passed on while there is time to try again.</summary>
    public bool IsTemporary => Status is 408 or 425 or 429 or 503;
}
