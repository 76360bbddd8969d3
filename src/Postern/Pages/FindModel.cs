namespace Postern.Pages;

/// <summary>What was looked for, and what begins so.</summary>
internal sealed record FindModel(string Text, IReadOnlyList<FoundThing> Found);
