namespace Postern.Storage;

/// <summary>What a node concludes from the hints that it has read.</summary>
/// <param name="Topics">What was committed elsewhere.</param>
/// <param name="Everything">Something may have been missed: everything is to be read once.</param>
internal readonly record struct Heard(IReadOnlyCollection<string> Topics, bool Everything);
