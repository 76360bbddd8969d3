using Postern.Runs;

namespace Postern.Approvals;

/// <summary>
/// A question to a person that a run waits for, and its one decision.
///
/// What always holds: it belongs to one run, as one of its rounds, and while it is pending the run names it and cannot
/// be moved on except by its end. Its id is used once in a project, for ever: what is kept of it after its run is gone
/// is the id. It is decided once, by a conditional write under the run's lock, in the transaction that moves the run,
/// tells of it and writes it down; whoever comes later learns what was decided. It is decided at the latest at
/// <see cref="ExpiresAt"/>, by the server. Times are microseconds since 1970.
/// </summary>
internal sealed record Approval
{
    public const string Prefix = "apr";
    public const int MaxId = 255;

    public required string Project { get; init; }

    public required string Id { get; init; }

    public required string Run { get; init; }

    /// <summary>Counts the questions of a run, from 1.</summary>
    public required long Round { get; init; }

    public required long Attempt { get; init; }

    public required string Agent { get; init; }

    public string? Session { get; init; }

    /// <summary><see cref="Pending"/> or a <see cref="Decision"/>.</summary>
    public string Status { get; init; } = Pending;

    /// <summary>The approval service whose secrets can decide it.</summary>
    public required string Service { get; init; }

    /// <summary>What a refusal does to the run: <see cref="Cancel"/> or <see cref="Continue"/>.</summary>
    public required string OnReject { get; init; }

    public required long RequestedAt { get; init; }

    public required long ExpiresAt { get; init; }

    /// <summary>The kind of credential that asked, and whose it was.</summary>
    public required string AskedWith { get; init; }

    public required string AskedBy { get; init; }

    public long? DecidedAt { get; init; }

    /// <summary>
    /// How it was decided: <c>service</c>, <c>key</c>, <c>token</c>, <c>link</c>, <c>server</c>; and by whom.
    /// </summary>
    public string? DecidedWith { get; init; }

    public string? DecidedBy { get; init; }

    public string? Feedback { get; init; }

    /// <summary>JSON, as it came with the decision.</summary>
    public byte[]? Response { get; init; }

    /// <summary>Of all that was asked: by it a repeat without an id is known.</summary>
    public required byte[] AskDigest { get; init; }

    public string? PayloadHash { get; init; }

    /// <summary>
    /// Of the token of the page that this server shows to a person; null where another service asks him.
    /// </summary>
    public byte[]? LinkDigest { get; init; }

    /// <summary>Where another service asks.</summary>
    public string? RequestUrl { get; init; }

    public string? CallbackUrl { get; init; }

    public string? Title { get; init; }

    public string? Description { get; init; }

    /// <summary>JSON, as it came.</summary>
    public string? Options { get; init; }

    public byte[]? Payload { get; init; }

    public bool IsPending => Status == Pending;

    public bool IsOverdue(long now) => IsPending && ExpiresAt <= now;

    public const string Pending = "pending";
    public const string Cancel = "cancel";
    public const string Continue = "continue";

    /// <summary>What its run knows of it while it waits.</summary>
    public OpenQuestion AsOpen() => new(Id, Title, RequestedAt, ExpiresAt);
}
