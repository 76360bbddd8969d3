namespace Postern.Sessions;

/// <summary>What starting a session has come to.</summary>
/// <param name="Session">The row.</param>
/// <param name="RunId">Its live run.</param>
/// <param name="IsNew">Whether this call made it.</param>
internal sealed record BegunSession(Session Session, string RunId, bool IsNew);
