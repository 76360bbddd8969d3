namespace Postern.Live;

/// <summary>
/// The entries of a source after a number: frames in order, and the reason why no more will follow, if so.
/// </summary>
internal readonly record struct Batch(IReadOnlyList<Frame> Frames, string? Ended);
