namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: what became of an envelope. Sent only after the effect's commit; kept by the plane, and sent again
/// after a reconnect, until it is settled. The body is the answer's.
/// </summary>
/// <param name="Headers">Pairs of name and value.</param>
internal sealed record AnswerHead(
    string Relay,
    string Plane,
    string Id,
    long Seq,
    int Status,
    IReadOnlyList<string[]> Headers
) : FrameHead
{
    /// <summary>Whether its values are within what a relay takes.</summary>
    public bool IsSound => Id.Length <= 64 && Headers.All(h => h is [{ Length: > 0 }, { }]);
}
