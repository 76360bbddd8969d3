using Postern.Http;
using Postern.Settings;

namespace Postern.Access;

/// <summary>
/// What a refused credential costs: an audit row, and a place in the bucket of its address. It never refuses a right
/// one.
/// </summary>
internal sealed class FailedCredentials(
    CredentialReader credentials,
    TokenBuckets buckets,
    Audit audit,
    PosternOptions options
)
{
    /// <summary>A machine's own users are many programs behind one address.</summary>
    private const int LoopbackFactor = 10;

    /// <summary>The refusal, or 429 in its place when this address has failed too often.</summary>
    /// <param name="http">The request.</param>
    /// <param name="reason">For the audit.</param>
    /// <param name="keyId">The id that a refused key claimed to be, if any.</param>
    /// <param name="refusal">The 401 in the door's words.</param>
    public Refusal Refuse(HttpContext http, string reason, string? keyId, Refusal refusal)
    {
        var address = credentials.AddressOf(http);
        if (Take(http) is { Allowed: false } wait)
            return new Refusal(
                429,
                "Too many failed credentials from this address. A correct one is still accepted.",
                "too_many_failures"
            )
            {
                RetryAfterSeconds = (int)Math.Ceiling(wait.RetryAfter),
            };
        if (http.GetEndpoint()?.Metadata.GetMetadata<Door>() is { } door)
            audit.Refused(http, door, reason, keyId, address);
        return refusal;
    }

    /// <summary>Takes a place in the bucket of this address, where something is tried that may be a guess.</summary>
    public bool MayTryAgain(HttpContext http) => Take(http).Allowed;

    private BucketAnswer Take(HttpContext http)
    {
        // The client's address, not the connection's: behind a proxy on loopback everybody else is not on loopback.
        var client = credentials.ClientOf(http);
        var perMinute =
            options.RateLimits.FailuresPerMinute * (System.Net.IPAddress.IsLoopback(client) ? LoopbackFactor : 1);
        return buckets.Take("401 " + CredentialReader.Shown(client), perMinute, perMinute / 60.0);
    }
}
