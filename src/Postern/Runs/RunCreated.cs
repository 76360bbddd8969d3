namespace Postern.Runs;

/// <summary>A run was created, and its row is written.</summary>
internal sealed record RunCreated(Run Run);
