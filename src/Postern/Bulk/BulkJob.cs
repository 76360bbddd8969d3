using Postern.Access;

namespace Postern.Bulk;

/// <summary>
/// One action on many things. The ids are those that the preview found; each is done, or skipped with the reason.
///
/// What always holds: an item's effect, its outcome and <see cref="Place"/> are one transaction under the lease's
/// number, so a crash between two items repeats none, and a node that lost the lease, or a job that was stopped, writes
/// nothing. Each batch begins with the authority of who asked, as it is then. Times are microseconds.
/// </summary>
internal sealed record BulkJob
{
    public const string Prefix = "bulk";
    public const string Running = "running";
    public const string Done = "done";
    public const string Stopped = "stopped";
    public static readonly string[] Statuses = [Running, Done, Stopped];

    /// <summary>Items of a job at most.</summary>
    public const int MaxItems = 10_000;

    /// <summary>Characters of the reason at most: those of a session's close.</summary>
    public const int MaxReason = 256;

    public required string Project { get; init; }
    public required string Id { get; init; }
    public required string Action { get; init; }
    public required BulkFilter Filter { get; init; }
    public string? Reason { get; init; }

    /// <summary>The time of the preview.</summary>
    public required long AsOf { get; init; }

    /// <summary>Who asked.</summary>
    public required Mandate By { get; init; }
    public string? Address { get; init; }

    /// <summary>The ids as a JSON list; empty where the job is only shown.</summary>
    public required string Items { get; init; }
    public required long Matched { get; init; }

    /// <summary>The next of the items.</summary>
    public long Place { get; init; }
    public long DoneCount { get; init; }
    public long SkippedCount { get; init; }

    /// <summary>Of what was sent again, what has arrived.</summary>
    public long ArrivedCount { get; init; }
    public required string Status { get; init; }
    public string? StoppedBecause { get; init; }
    public required long CreatedAt { get; init; }

    /// <summary>When an item was done or skipped last.</summary>
    public required long MovedAt { get; init; }
    public long? EndedAt { get; init; }

    /// <summary>Until when it is looked at what arrives; null: there is nothing to wait for.</summary>
    public long? WaitsUntil { get; init; }
    public long LeaseNo { get; init; }

    public long Left => Matched - Place;

    /// <summary>Grows with all that its page shows.</summary>
    public long Revision =>
        Place + ArrivedCount + (EndedAt is null ? 0 : 1) + (EndedAt is null || WaitsUntil is not null ? 0 : 1);

    /// <summary>True when nothing that its page shows will change any more.</summary>
    public bool IsOver => EndedAt is not null && WaitsUntil is null;
}
