namespace Postern.Sessions;

/// <summary>A turn of a session has ended: its agent has said so, or it was broken off.</summary>
/// <param name="Session">Its row is held.</param>
/// <param name="InSeq">The number on <c>in</c> up to which it has answered.</param>
internal sealed record TurnEnded(Session Session, long InSeq)
{
    /// <summary>What it was broken off for, as a code; null when its agent ended it.</summary>
    public string? Failure { get; init; }

    /// <summary>The same for a person.</summary>
    public string? Error { get; init; }
}
