namespace Postern.Pages;

/// <summary>A secret that is shown only this once.</summary>
/// <param name="What">What it is, as the beginning of a sentence.</param>
/// <param name="Back">Where to go on.</param>
internal sealed record ShownOnceModel(string What, string Text, string Back, string BackLabel);
