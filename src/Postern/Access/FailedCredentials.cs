using Postern.Http;
using Postern.Settings;

namespace Postern.Access;

/// <summary>
/// The consequences of a refused credential: an audit row, and a place in the rate bucket of its address. A right
/// credential is never refused because of it.
/// </summary>
internal sealed class FailedCredentials(
    CredentialReader credentials,
    TokenBuckets buckets,
    Audit audit,
    PosternOptions options
)
{
    /// <summary>Many programs on one machine share the loopback address.</summary>
    private const int LoopbackFactor = 10;
    public const string TooMany = "too_many_failures";

    /// <summary>Returns the refusal, or 429 when this address has failed too often.</summary>
    /// <param name="http">The request.</param>
    /// <param name="reason">For the audit.</param>
    /// <param name="keyId">The key, where its own text was presented and it has ended or is of another kind.</param>
    /// <param name="refusal">The 401 in the door's words.</param>
    /// <param name="trigger">The trigger whose URL was asked.</param>
    public Refusal Refuse(HttpContext http, string reason, string? keyId, Refusal refusal, AuditTrigger? trigger = null)
    {
        var address = credentials.AddressOf(http);
        var door = http.GetEndpoint()?.Metadata.GetMetadata<Door>();
        if (Take(http) is { Allowed: false } wait)
        {
            if (door is not null && trigger is not null)
                audit.InboundTurnedAway(http, door, trigger, TooMany, address, 429);
            else if (door is not null)
                audit.Limited(http, door, null, address, TooMany);
            return new Refusal(
                429,
                "Too many failed credentials from this address. A correct one is still accepted.",
                TooMany
            )
            {
                RetryAfterSeconds = (int)Math.Ceiling(wait.RetryAfter),
            };
        }
        if (door is not null && trigger is not null)
            audit.InboundTurnedAway(http, door, trigger, reason, address, refusal.Status);
        else if (door is not null)
            audit.Refused(http, door, reason, keyId, address, refusal.Challenge ?? refusal.Code);
        return refusal;
    }

    /// <summary>
    /// Returns a refusal that is not a failed credential: it has an audit row, but takes no place in a bucket.
    /// </summary>
    public Refusal TurnAway(HttpContext http, AuditTrigger trigger, string reason, Refusal refusal)
    {
        if (http.GetEndpoint()?.Metadata.GetMetadata<Door>() is { } door)
            audit.InboundTurnedAway(http, door, trigger, reason, credentials.AddressOf(http), refusal.Status);
        return refusal;
    }

    /// <summary>Takes a place in the bucket of this address, for a request that may be a guess.</summary>
    public bool MayTryAgain(HttpContext http) => Take(http).Allowed;

    private BucketAnswer Take(HttpContext http)
    {
        // The address is only the relay's word, and the relay itself limits strangers.
        if (Arrival.Of(http) is not null)
            return new BucketAnswer(true, 0, 0, 0);
        // The client's address, not the connection's: behind a proxy on loopback the clients are not on loopback.
        var client = credentials.ClientOf(http);
        var perMinute =
            options.RateLimits.FailuresPerMinute * (System.Net.IPAddress.IsLoopback(client) ? LoopbackFactor : 1);
        return buckets.Take("401 " + CredentialReader.Shown(client), perMinute, perMinute / 60.0);
    }
}
