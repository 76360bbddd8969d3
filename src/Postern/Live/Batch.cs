namespace Postern.Live;

/// <summary>
/// What a source has after a number: frames in order, and the reason that no more will follow, if so.
/// </summary>
internal readonly record struct Batch(IReadOnlyList<Frame> Frames, string? Ended);
