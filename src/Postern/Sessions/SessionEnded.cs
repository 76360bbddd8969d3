namespace Postern.Sessions;

/// <summary>A session is being closed or has expired; its run has ended.</summary>
/// <param name="Session">As it was; its row is held.</param>
/// <param name="End">Which of the two.</param>
/// <param name="Reason">For a person; null for none.</param>
internal sealed record SessionEnded(Session Session, SessionEnd End, string? Reason);
