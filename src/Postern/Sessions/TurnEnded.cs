namespace Postern.Sessions;

/// <summary>A turn of a session has ended: its agent ended it, or it was broken off.</summary>
/// <param name="Session">Its row is held.</param>
/// <param name="InSeq">The number on <c>in</c> up to which it has answered.</param>
internal sealed record TurnEnded(Session Session, long InSeq)
{
    /// <summary>The reason for breaking it off, as a code; null when its agent ended it.</summary>
    public string? Failure { get; init; }

    /// <summary>The reason for people.</summary>
    public string? Error { get; init; }
}
