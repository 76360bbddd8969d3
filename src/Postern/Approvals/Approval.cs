using Postern.Runs;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// A question to a person that a run waits for, and its one decision.
///
/// It belongs to one run, as one of its rounds. While it is pending, the run names it and can only be ended. An id is
/// used once in a project, for ever; of an approval whose run is gone, only the id is kept. It is decided once, by a
/// conditional write under the run's lock, in the transaction that moves the run and writes events and deliveries. A
/// later decision is told the first one. At <see cref="ExpiresAt"/> the server itself decides. Times are microseconds
/// since 1970.
/// </summary>
internal sealed record Approval
{
    public const string Prefix = "apr";
    public const int MaxId = 255;

    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    [Column("run")]
    public required string Run { get; init; }

    /// <summary>Counts the questions of a run, from 1.</summary>
    [Column("round")]
    public required long Round { get; init; }

    [Column("attempt")]
    public required long Attempt { get; init; }

    [Column("agent")]
    public required string Agent { get; init; }

    [Column("session")]
    public string? Session { get; init; }

    /// <summary><see cref="Pending"/> or a <see cref="Decision"/>.</summary>
    [Column("status")]
    public string Status { get; init; } = Pending;

    /// <summary>The approval service whose secrets can decide it.</summary>
    [Column("service")]
    public required string Service { get; init; }

    /// <summary>The consequence of a rejection for the run: <see cref="Cancel"/> or <see cref="Continue"/>.</summary>
    [Column("on_reject")]
    public required string OnReject { get; init; }

    [Column("requested_at")]
    public required long RequestedAt { get; init; }

    [Column("expires_at")]
    public required long ExpiresAt { get; init; }

    /// <summary>The kind of the asking credential, and its owner.</summary>
    [Column("asked_with")]
    public required string AskedWith { get; init; }

    [Column("asked_by")]
    public required string AskedBy { get; init; }

    [Column("decided_at")]
    public long? DecidedAt { get; init; }

    /// <summary>
    /// How it was decided: <c>service</c>, <c>key</c>, <c>token</c>, <c>link</c>, <c>server</c>; and by whom.
    /// </summary>
    [Column("decided_with")]
    public string? DecidedWith { get; init; }

    [Column("decided_by")]
    public string? DecidedBy { get; init; }

    [Column("feedback")]
    public string? Feedback { get; init; }

    /// <summary>The JSON that came with the decision.</summary>
    [Column("response")]
    public byte[]? Response { get; init; }

    /// <summary>The digest of the whole request, to recognise a repeat without an id.</summary>
    [Column("ask_digest")]
    public required byte[] AskDigest { get; init; }

    [Column("payload_hash")]
    public string? PayloadHash { get; init; }

    /// <summary>
    /// The digest of the token in the link to this server's page; null when another service asks the person.
    /// </summary>
    [Column("link_digest")]
    public byte[]? LinkDigest { get; init; }

    /// <summary>The URL at which another service asks.</summary>
    [Column("request_url")]
    public string? RequestUrl { get; init; }

    [Column("callback_url")]
    public string? CallbackUrl { get; init; }

    [Column("title")]
    public string? Title { get; init; }

    [Column("description")]
    public string? Description { get; init; }

    /// <summary>The JSON, unchanged.</summary>
    [Column("options")]
    public string? Options { get; init; }

    public byte[]? Payload { get; init; }

    public bool IsPending => Status == Pending;

    public bool IsOverdue(long now) => IsPending && ExpiresAt <= now;

    public const string Pending = "pending";
    public const string Cancel = "cancel";
    public const string Continue = "continue";

    /// <summary>The part that its run stores while it waits.</summary>
    public OpenQuestion AsOpen() => new(Id, Title, RequestedAt, ExpiresAt);
}
