namespace Postern.Sessions;

/// <summary>A session was created, and its row is written.</summary>
internal sealed record SessionCreated(Session Session);
