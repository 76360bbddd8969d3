namespace Postern.Runs;

/// <summary>One row of a run's timeline.</summary>
/// <param name="At">When the server took it.</param>
/// <param name="OccurredAt">When the reporter says that it happened.</param>
/// <param name="Accepted">False: it changed nothing, and <paramref name="Code"/> says why.</param>
/// <param name="Detail">A JSON object, or null.</param>
/// <param name="Digest">Of the content of an accepted report, for its repeats.</param>
internal sealed record RunEvent(
    long Seq,
    string Type,
    long At,
    long Attempt,
    Actor By,
    string? From = null,
    string? To = null,
    string? EventId = null,
    string? CorrelationId = null,
    long? OccurredAt = null,
    bool Accepted = true,
    string? Code = null,
    string? Detail = null,
    byte[]? Digest = null
);
