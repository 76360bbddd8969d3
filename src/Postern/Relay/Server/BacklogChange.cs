namespace Postern.Relay.Server;

/// <summary>The amount by which a plane's backlog grows.</summary>
/// <param name="UnknownCount">Of them, those from networks that are not known.</param>
internal sealed record BacklogChange(long Count, long Bytes, long UnknownCount, long UnknownBytes)
{
    public static BacklogChange None { get; } = new(0, 0, 0, 0);

    /// <summary>One envelope more.</summary>
    public static BacklogChange Of(long size, bool isKnown) => new(1, size, isKnown ? 0 : 1, isKnown ? 0 : size);

    public static BacklogChange operator +(BacklogChange one, BacklogChange other) =>
        new(
            one.Count + other.Count,
            one.Bytes + other.Bytes,
            one.UnknownCount + other.UnknownCount,
            one.UnknownBytes + other.UnknownBytes
        );

    public static BacklogChange operator -(BacklogChange change) =>
        new(-change.Count, -change.Bytes, -change.UnknownCount, -change.UnknownBytes);
}
