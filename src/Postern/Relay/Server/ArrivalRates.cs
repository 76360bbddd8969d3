using System.Net;
using System.Net.Sockets;
using Postern.Access;
using Postern.Http;
using Postern.Settings;

namespace Postern.Relay.Server;

/// <summary>
/// Limits how fast requests may come: for each plane as a whole, and for networks that the plane does not know.
/// Failures never count against a known network. Otherwise anybody who can make a provider call a URL could lock that
/// provider out.
/// </summary>
internal sealed class ArrivalRates(CredentialReader credentials, TokenBuckets buckets, PosternOptions options)
{
    private const int PlaneBurst = 10;
    private const int AddressBurst = 5;
    private const int FailuresPerMinute = 10;

    /// <summary>Returns the sender's address, behind trusted proxies.</summary>
    public IPAddress AddressOf(HttpContext http) => credentials.ClientOf(http);

    /// <summary>Returns the sender's network: /24, or /48 for IPv6.</summary>
    public string NetworkOf(HttpContext http)
    {
        var address = AddressOf(http);
        var bytes = address.GetAddressBytes();
        var kept = address.AddressFamily == AddressFamily.InterNetworkV6 ? 6 : 3;
        bytes.AsSpan(kept).Clear();
        return $"{new IPAddress(bytes)}/{kept * 8}";
    }

    /// <summary>Returns null when the request may pass.</summary>
    public Refusal? Slower(HttpContext http, string plane, bool isKnown)
    {
        var limits = options.RelayServer;
        if (!isKnown)
        {
            var address = CredentialReader.Shown(AddressOf(http));
            var failed = buckets.Peek(FailuresOf(plane, address), FailuresPerMinute, FailuresPerMinute / 60.0);
            if (!failed.Allowed)
                return Slower(failed);
            var own = buckets.Take(
                $"relay {plane} {address}",
                limits.UnknownPerSecond * AddressBurst,
                limits.UnknownPerSecond
            );
            if (!own.Allowed)
                return Slower(own);
        }
        var all = buckets.Take("relay " + plane, limits.PlanePerSecond * PlaneBurst, limits.PlanePerSecond);
        return all.Allowed ? null : Slower(all);
    }

    /// <summary>Records that the plane has answered 401.</summary>
    public void Failed(HttpContext http, string plane, bool isKnown)
    {
        if (!isKnown)
            buckets.Take(
                FailuresOf(plane, CredentialReader.Shown(AddressOf(http))),
                FailuresPerMinute,
                FailuresPerMinute / 60.0
            );
    }

    private static string FailuresOf(string plane, string address) => $"relay 401 {plane} {address}";

    private static Refusal Slower(BucketAnswer answer) =>
        new(429, "Too many requests", "rate_limited")
        {
            RetryAfterSeconds = Math.Max(1, (int)Math.Ceiling(answer.RetryAfter)),
        };
}
