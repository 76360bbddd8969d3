namespace Postern.Sessions;

/// <summary>A session that was there has a run, its first or the next: what waits is that run's.</summary>
/// <param name="Session">Its row is held.</param>
/// <param name="Run">The run's id.</param>
internal sealed record SessionRunStarted(Session Session, string Run);
