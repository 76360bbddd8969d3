namespace Postern.Sessions;

/// <summary>The result of starting a session.</summary>
/// <param name="Session">The row.</param>
/// <param name="RunId">Its live run.</param>
/// <param name="IsNew">Whether this call made it.</param>
internal sealed record BegunSession(Session Session, string RunId, bool IsNew);
