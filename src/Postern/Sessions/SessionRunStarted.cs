namespace Postern.Sessions;

/// <summary>
/// An existing session got a run, its first or the next; waiting messages and captures are now this run's.
/// </summary>
/// <param name="Session">Its row is held.</param>
/// <param name="Run">The run's id.</param>
internal sealed record SessionRunStarted(Session Session, string Run);
