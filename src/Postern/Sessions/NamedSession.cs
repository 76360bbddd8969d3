namespace Postern.Sessions;

/// <summary>The session that a path names.</summary>
/// <param name="Reference">The name as the path has it.</param>
/// <param name="Name">The session; null: no session has this name yet.</param>
internal readonly record struct NamedSession(string Reference, SessionRef? Name);
