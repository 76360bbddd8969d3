namespace Postern.Relay.Server;

/// <summary>The state of an envelope, with its answer.</summary>
/// <param name="State">One of <see cref="EnvelopeState"/>.</param>
/// <param name="EndedAt">Microseconds since 1970, as <paramref name="ReceivedAt"/>; null while it is stored.</param>
/// <param name="Headers">Pairs of name and value.</param>
internal sealed record StoredAnswer(
    string Id,
    string State,
    long ReceivedAt,
    long? EndedAt,
    int Status,
    IReadOnlyList<string[]> Headers,
    byte[] Body
)
{
    public bool IsAnswered => State == EnvelopeState.Answered;
}
