namespace Postern.Runs;

/// <summary>The part of a question to a person that its run stores.</summary>
/// <param name="Id">The approval's id.</param>
/// <param name="Title">Its title; null when it has none.</param>
/// <param name="AskedAt">When it was asked, microseconds since 1970.</param>
/// <param name="Until">When it expires, microseconds since 1970.</param>
internal sealed record OpenQuestion(string Id, string? Title, long AskedAt, long Until);
