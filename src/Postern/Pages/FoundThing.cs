namespace Postern.Pages;

/// <summary>A search result.</summary>
/// <param name="Kind">What it is, in a word.</param>
internal sealed record FoundThing(string Kind, string Name, string Path);
