namespace Postern.Runs;

/// <summary>A run is being removed with all that is kept of it; its row is locked and still there.</summary>
internal sealed record RunForgotten(string Project, string Run);
