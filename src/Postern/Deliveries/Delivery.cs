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
/// <param name="Purpose">
/// What kind of thing it is: which <see cref="DeliveryPurpose"/> makes its request and hears of its end.
/// </param>
/// <param name="Endpoint">
/// Whose failures are counted together: <c>agent:{slug}</c>, <c>endpoint:{id}</c>, <c>url:{origin}</c>.
/// </param>
/// <param name="Subject">The run or session that it is about.</param>
/// <param name="Type">The body's <c>type</c>.</param>
/// <param name="Detail">What its purpose needs to know; never a secret.</param>
/// <param name="Body">The bytes to send; null where they are made when it is sent.</param>
/// <param name="Attempts">Sent so often in all.</param>
/// <param name="Tries">Sent so often since it was last made pending: the place in the schedule.</param>
internal sealed record Delivery(
    string Project,
    string Id,
    string Purpose,
    string Endpoint,
    string Subject,
    string Type,
    string? Detail,
    byte[]? Body,
    string Status,
    string? Reason,
    bool Ordered,
    long CreatedAt,
    long? DueAt,
    long LeaseNo,
    long GiveUpAt,
    long Attempts,
    long Tries,
    long? EndedAt
)
{
    public const string Prefix = "dlv";
    public const string Pending = "pending";
    public const string Delivered = "delivered";
    public const string Dead = "dead";
}
