namespace Postern.Runs;

/// <summary>A run was made, and its row is written.</summary>
internal sealed record RunCreated(Run Run);
