namespace Postern.Access;

/// <summary>A run, and the attempt of it that a worker works on.</summary>
/// <param name="Session">The session of the run, where it has one.</param>
internal sealed record Worker(string Run, long Attempt, string? Session);
