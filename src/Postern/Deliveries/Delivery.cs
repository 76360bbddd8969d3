using Postern.Access;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// One outbound HTTP request that must arrive. Its row is written in the transaction that causes it, sent by
/// <see cref="DeliveryWorker"/>, and kept with every attempt until its retention is over.
///
/// It ends as delivered or as dead, at the latest at <see cref="GiveUpAt"/>. The consequences of its end are in the
/// transaction that records the end. Deliveries of one endpoint about one subject are sent in the order of their
/// creation, unless the endpoint has opted out, so only the first of such a chain is due. A crash after the send and
/// before its record repeats the send under the same id.
/// </summary>
internal sealed record Delivery
{
    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    /// <summary>The name of its <see cref="DeliveryPurpose"/>, which makes its request and handles its end.</summary>
    [Column("purpose")]
    public required string Purpose { get; init; }

    /// <summary>
    /// The receiver whose failures are counted together: <c>agent:{slug}</c>, <c>endpoint:{id}</c>,
    /// <c>url:{origin}</c>.
    /// </summary>
    [Column("endpoint")]
    public required string Endpoint { get; init; }

    /// <summary>The run or session that it is about.</summary>
    [Column("subject")]
    public required string Subject { get; init; }

    /// <summary>The body's <c>type</c>.</summary>
    [Column("type")]
    public required string Type { get; init; }

    /// <summary>Data for its purpose; never a secret.</summary>
    [Column("detail")]
    public string? Detail { get; init; }

    /// <summary>
    /// The bytes to send. A dispatch is made at the time of sending: of it, this is a copy of what was sent last,
    /// without its tokens, and null before that.
    /// </summary>
    [Column("body")]
    public byte[]? Body { get; init; }

    [Column("status")]
    public required string Status { get; init; }

    [Column("reason")]
    public string? Reason { get; init; }

    [Column("ordered")]
    public required bool Ordered { get; init; }

    [Column("created_at")]
    public required long CreatedAt { get; init; }

    [Column("due_at")]
    public long? DueAt { get; init; }

    [Column("lease_no")]
    public required long LeaseNo { get; init; }

    [Column("give_up_at")]
    public required long GiveUpAt { get; init; }

    /// <summary>How often it was sent in all.</summary>
    [Column("attempts")]
    public required long Attempts { get; init; }

    /// <summary>How often it was sent since it last became pending: its place in the schedule.</summary>
    [Column("tries")]
    public required long Tries { get; init; }

    [Column("ended_at")]
    public long? EndedAt { get; init; }

    /// <summary>
    /// Whether a caller may read the body. A callback holds the whole run with its output; a dispatch also holds
    /// messages of its session and settings of its trigger.
    /// </summary>
    public bool IsReadableBy(ProjectCaller caller) =>
        caller.Allows("read", "runs")
        && (Purpose != Dispatch || (caller.Allows("read", "sessions") && caller.Allows("read", "triggers")));

    /// <summary>The purpose that gives a run to its agent.</summary>
    public const string Dispatch = "dispatch";
    public const string Prefix = "dlv";
    public const string Pending = "pending";
    public const string Delivered = "delivered";
    public const string Dead = "dead";
}
