namespace Postern.Runs;

/// <summary>The result of applying the artifacts of one report.</summary>
/// <param name="Body">All of the run's artifacts after it; null when nothing changed.</param>
/// <param name="Kept">Immutable ones that it would have changed.</param>
/// <param name="Ignored">Ones that the workflow does not list.</param>
internal sealed record ArtifactUpdate(byte[]? Body, IReadOnlyList<string> Kept, IReadOnlyList<string> Ignored);
