namespace Postern.Pages;

/// <summary>A state of a workflow, with its place in the picture.</summary>
/// <param name="Phase">What it means: one of <see cref="Runs.Phase"/>.</param>
/// <param name="IsInitial">Runs begin in it.</param>
/// <param name="Repeats">A report may name it again.</param>
internal sealed record PicturedState(string Name, string Phase, bool IsInitial, bool Repeats, int X, int Y);
