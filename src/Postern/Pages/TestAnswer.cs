namespace Postern.Pages;

/// <summary>The answer of a trigger's public URL to a test.</summary>
/// <param name="Capture">The capture that it named; null where there is none.</param>
internal sealed record TestAnswer(int Status, string? Capture);
