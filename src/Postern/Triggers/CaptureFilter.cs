namespace Postern.Triggers;

/// <summary>The conditions of a list of captures. An empty list or a null is no condition.</summary>
internal sealed record CaptureFilter(
    string TriggerUid,
    IReadOnlyList<string> Ids,
    IReadOnlyList<string> Statuses,
    IReadOnlyList<string> Reasons,
    long? From,
    long? To
);
