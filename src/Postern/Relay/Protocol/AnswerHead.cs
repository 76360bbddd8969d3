namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: the answer to an envelope, whose body is the frame's body. It is sent after the effect was
/// committed. The plane keeps it, and sends it again after each reconnect until it is settled.
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
    /// <summary>Returns whether its values are within the relay's limits.</summary>
    public bool IsSound => Id.Length <= 64 && Headers.All(h => h is [{ Length: > 0 }, { }]);
}
