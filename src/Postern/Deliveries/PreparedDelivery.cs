namespace Postern.Deliveries;

/// <summary>A delivery as a request.</summary>
/// <param name="Secrets">Every live secret signs.</param>
/// <param name="RatePerSecond">At most so many a second to this endpoint; null: no limit of its own.</param>
/// <param name="MaxTries">Fewer tries than the schedule has; null: all of them.</param>
/// <param name="MaxAnswer">Bytes of the body of a 2xx that are kept for the purpose; 0: it is not read.</param>
/// <param name="Copy">What people are shown as the body, where it is not stored already; without any secret.</param>
internal sealed record PreparedDelivery(
    string Url,
    IReadOnlyList<string> Secrets,
    ReadOnlyMemory<byte> Body,
    long? RatePerSecond = null,
    long? MaxTries = null,
    int MaxAnswer = 0,
    byte[]? Copy = null
);
