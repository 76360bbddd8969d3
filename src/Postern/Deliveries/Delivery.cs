using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// One outbound HTTP request that must arrive: a row written in the transaction that causes it, sent by <see cref="DeliveryWorker"/>, kept with
/// every attempt until its retention is over.
///
/// What always holds: it ends as delivered or as dead, at the latest at <see cref="GiveUpAt"/>; what depends on its end is told in the
/// transaction that records the end; deliveries of one endpoint about one subject go out in the order they were made, unless the
/// endpoint has opted out, so only the first of such a chain is due. A crash after the send and before its record repeats it, under
/// the same id.
/// </summary>
/// <param name="Purpose">What kind of thing it is: which <see cref="DeliveryPurpose"/> makes its request and hears of its end.</param>
/// <param name="Endpoint">Whose failures are counted together: <c>agent:{slug}</c>, <c>endpoint:{id}</c>, <c>url:{origin}</c>.</param>
/// <param name="Subject">The run or session that it is about.</param>
/// <param name="Type">The body's <c>type</c>.</param>
/// <param name="Detail">What its purpose needs to know; never a secret.</param>
/// <param name="Body">The bytes to send; null where they are made when it is sent.</param>
/// <param name="Attempts">Sent so often in all.</param>
/// <param name="Tries">Sent so often since it was last made pending: the place in the schedule.</param>
internal sealed record Delivery(
    string Project, string Id, string Purpose, string Endpoint, string Subject, string Type, string? Detail, byte[]? Body,
    string Status, string? Reason, bool Ordered, long CreatedAt, long? DueAt, long LeaseNo, long GiveUpAt, long Attempts, long Tries, long? EndedAt)
{
    public const string Prefix = "dlv";
    public const string Pending = "pending";
    public const string Delivered = "delivered";
    public const string Dead = "dead";
}

/// <summary>What is to be sent, as the transaction that causes it says it.</summary>
internal sealed record NewDelivery(string Project, string Purpose, string Endpoint, string Subject, string Type, byte[]? Body, long GiveUpAt, string? Detail = null, bool Ordered = true);

/// <summary>A delivery turned into a request.</summary>
/// <param name="Secrets">Every live secret signs.</param>
/// <param name="RatePerSecond">At most so many a second to this endpoint; null: no limit of its own.</param>
/// <param name="MaxTries">Fewer tries than the schedule has; null: all of them.</param>
/// <param name="MaxAnswer">Bytes of the body of a 2xx that are kept for the purpose; 0: it is not looked at.</param>
internal sealed record Outgoing(
    string Url, IReadOnlyList<string> Secrets, ReadOnlyMemory<byte> Body, long? RatePerSecond = null,
    long? MaxTries = null, int MaxAnswer = 0);

/// <summary>One attempt, as it went.</summary>
/// <param name="Status">The response's status; null when there was none.</param>
/// <param name="Category">One of <see cref="SendCategory"/>.</param>
/// <param name="Response">The first KiB of the response's body, as text.</param>
/// <param name="RetryAfter">What the receiver asked for.</param>
/// <param name="Directive">The response's header <c>webhook-delivery</c>.</param>
/// <param name="Answer">The body of a 2xx, where the purpose looks at it.</param>
internal sealed record Attempt(
    long At, long DurationMilliseconds, int? Status, string Category, string? Response, TimeSpan? RetryAfter = null,
    string? Directive = null, SendAnswer? Answer = null)
{
    public bool Arrived => Status is >= 200 and < 300;

    /// <summary>Worth another try: 408, 425, 429, 5xx, and whatever kept the response from coming.</summary>
    public bool MayPass => Status is null ? Category != SendCategory.AddressRefused : Status is 408 or 425 or 429 or >= 500;

    /// <summary>The receiver wants nothing more, ever.</summary>
    public bool Disables => Status == 410 || Directive == "disable";

    /// <summary>For a person: what went wrong, with what the other side said.</summary>
    public string Words => Status is { } status
        ? $"answered {status}{(string.IsNullOrWhiteSpace(Response) ? "" : ": " + Response)}"
        : Category switch
        {
            SendCategory.Timeout => "did not answer in time",
            SendCategory.Dns => "its name cannot be resolved",
            SendCategory.AddressRefused => Response ?? "its address is refused",
            SendCategory.Tls => "its certificate or TLS is not accepted",
            _ => "cannot be reached",
        };
}

/// <summary>The body of a 2xx as it came.</summary>
/// <param name="IsWhole">It was read to its end.</param>
internal sealed record SendAnswer(
    byte[] Body, bool IsWhole, string? ContentType, IReadOnlyList<string> ContentEncoding);

/// <summary>How an attempt went, in a word.</summary>
internal static class SendCategory
{
    public const string Delivered = "delivered";
    public const string Status = "status";
    public const string Timeout = "timeout";
    public const string Connection = "connection";
    public const string Dns = "dns";
    public const string Tls = "tls";
    public const string AddressRefused = "address_refused";
    public const string NotSent = "not_sent";
}

/// <summary>
/// What a kind of delivery needs beside its row: how its request is made, and what follows from its end. The follow-up runs in the
/// transaction that records the end, so nothing depends on a delivery without hearing of it.
/// </summary>
internal abstract class DeliveryPurpose
{
    public abstract string Name { get; }

    /// <summary>
    /// Prepares the request. Returns null when there is nothing to send any more: the delivery then ends as dead, with
    /// the words of <c>Why</c>.
    /// </summary>
    public abstract ValueTask<(Outgoing? Request, string? Why)> PrepareAsync(Delivery delivery);

    /// <summary>Locks what <see cref="AttemptedAsync"/> and <see cref="EndedAsync"/> change, before the delivery's own row: the order of those who make deliveries.</summary>
    public virtual ValueTask LockAsync(Tx tx, Delivery delivery) => default;

    /// <summary>It failed and will be tried again.</summary>
    public virtual ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt) => default;

    /// <summary>It ended.</summary>
    /// <param name="tx">The transaction that records it.</param>
    /// <param name="delivery">As it was before.</param>
    /// <param name="attempt">The last one; null when time or a person ended it.</param>
    /// <param name="reason">Why it is dead, for a person; null when it was delivered.</param>
    public virtual ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason) => default;

    /// <summary>The receiver wants no more: whatever else is meant for it is to stop too.</summary>
    public virtual ValueTask DisableAsync(Tx tx, Delivery delivery, string reason) => default;

    /// <summary>Whether an ended delivery can be sent again; null, or why not.</summary>
    public virtual ValueTask<string?> WhyNotAgainAsync(Tx tx, Delivery delivery) => new((string?)null);
}
