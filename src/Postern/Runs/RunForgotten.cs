namespace Postern.Runs;

/// <summary>A run is being removed with everything that belongs to it; its row is locked and still exists.</summary>
internal sealed record RunForgotten(string Project, string Run);
