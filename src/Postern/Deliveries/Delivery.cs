using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// One outbound HTTP request that must arrive: a row written in the transaction that causes it, sent by
/// <see cref="DeliveryWorker"/>, kept with every attempt until its retention is over.
///
/// What always holds: it ends as delivered or as dead, at the latest at <see cref="GiveUpAt"/>; what depends on its end
/// is told in the transaction that records the end; deliveries of one endpoint about one subject go out in the order
/// they were made, unless the endpoint has opted out, so only the first of such a chain is due. A crash after the send
/// and before its record repeats it, under the same id.
/// </summary>
internal sealed record Delivery
{
    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    /// <summary>
    /// What kind of thing it is: which <see cref="DeliveryPurpose"/> makes its request and hears of its end.
    /// </summary>
    [Column("purpose")]
    public required string Purpose { get; init; }

    /// <summary>
    /// Whose failures are counted together: <c>agent:{slug}</c>, <c>endpoint:{id}</c>, <c>url:{origin}</c>.
    /// </summary>
    [Column("endpoint")]
    public required string Endpoint { get; init; }

    /// <summary>The run or session that it is about.</summary>
    [Column("subject")]
    public required string Subject { get; init; }

    /// <summary>The body's <c>type</c>.</summary>
    [Column("type")]
    public required string Type { get; init; }

    /// <summary>What its purpose needs to know; never a secret.</summary>
    [Column("detail")]
    public string? Detail { get; init; }

    /// <summary>The bytes to send; null where they are made when it is sent.</summary>
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

    /// <summary>Sent so often in all.</summary>
    [Column("attempts")]
    public required long Attempts { get; init; }

    /// <summary>Sent so often since it was last made pending: the place in the schedule.</summary>
    [Column("tries")]
    public required long Tries { get; init; }

    [Column("ended_at")]
    public long? EndedAt { get; init; }

    public const string Prefix = "dlv";
    public const string Pending = "pending";
    public const string Delivered = "delivered";
    public const string Dead = "dead";
}
