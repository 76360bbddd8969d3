namespace Postern.Sessions;

/// <summary>A turn of a session has begun, or continues with another run.</summary>
/// <param name="Session">Its row is held.</param>
/// <param name="InSeq">The number on <c>in</c> up to which it answers.</param>
internal sealed record TurnBegan(Session Session, long InSeq);
