namespace Postern.Pages;

/// <summary>The searched text, and the things that begin with it.</summary>
internal sealed record FindModel(string Text, IReadOnlyList<FoundThing> Found);
