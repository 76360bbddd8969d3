using Postern.Access;

namespace Postern.Bulk;

/// <summary>
/// One action on many things. The ids are those that the preview found. Each thing is done, or skipped with a reason.
///
/// The effect of an item, its outcome and <see cref="Place"/> are one transaction under the lease's number. So a crash
/// between two items repeats none, and a node that lost the lease, or a stopped job, writes nothing. Each batch begins
/// with a check of the present authority of the person who asked. Times are microseconds.
/// </summary>
internal sealed record BulkJob
{
    public const string Prefix = "bulk";
    public const string Running = "running";
    public const string Done = "done";
    public const string Stopped = "stopped";
    public static readonly string[] Statuses = [Running, Done, Stopped];

    /// <summary>The most items of a job.</summary>
    public const int MaxItems = 10_000;

    /// <summary>The most characters of the reason: as many as a session's close has.</summary>
    public const int MaxReason = 256;

    public required string Project { get; init; }
    public required string Id { get; init; }
    public required string Action { get; init; }
    public required BulkFilter Filter { get; init; }
    public string? Reason { get; init; }

    /// <summary>The time of the preview.</summary>
    public required long AsOf { get; init; }

    /// <summary>The person or key that asked.</summary>
    public required Mandate By { get; init; }
    public string? Address { get; init; }

    /// <summary>The ids as a JSON list; empty when the job is only shown.</summary>
    public required string Items { get; init; }
    public required long Matched { get; init; }

    /// <summary>The index of the next item.</summary>
    public long Place { get; init; }
    public long DoneCount { get; init; }
    public long SkippedCount { get; init; }

    /// <summary>How many of those that were sent again have arrived.</summary>
    public long ArrivedCount { get; init; }
    public required string Status { get; init; }
    public string? StoppedBecause { get; init; }
    public required long CreatedAt { get; init; }

    /// <summary>When an item was done or skipped last.</summary>
    public required long MovedAt { get; init; }
    public long? EndedAt { get; init; }

    /// <summary>Until when arrivals are counted; null: there is nothing to count.</summary>
    public long? WaitsUntil { get; init; }
    public long LeaseNo { get; init; }

    public long Left => Matched - Place;

    /// <summary>Increases with everything that its page shows.</summary>
    public long Revision =>
        Place + ArrivedCount + (EndedAt is null ? 0 : 1) + (EndedAt is null || WaitsUntil is not null ? 0 : 1);

    /// <summary>Whether nothing on its page will change any more.</summary>
    public bool IsOver => EndedAt is not null && WaitsUntil is null;
}
