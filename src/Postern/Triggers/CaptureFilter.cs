namespace Postern.Triggers;

/// <summary>What captures of a trigger are narrowed to; empty lists and nulls narrow nothing.</summary>
internal sealed record CaptureFilter(
    string TriggerUid,
    IReadOnlyList<string> Statuses,
    IReadOnlyList<string> Reasons,
    long? From,
    long? To
);
