using Microsoft.Extensions.Primitives;
using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>
/// Chooses the headers of a request that a relay passes on. A secret that the relay could use again makes it refuse the
/// request. Headers of the connection, of a proxy or of a browser's session are dropped.
/// </summary>
internal static class RelayedHeaders
{
    /// <summary>Headers that contain a secret which opens a door without a signature.</summary>
    private static readonly string[] Bearers =
    [
        "X-API-Key",
        "X-Internal-API-Key",
        "X-Callback-Secret",
        "X-Callback-Token",
    ];

    private static readonly HashSet<string> Dropped = new(StringComparer.OrdinalIgnoreCase)
    {
        "Authorization",
        "Cookie",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "HTTP2-Settings",
        "Expect",
        "Forwarded",
        "Via",
        "X-Real-IP",
        "Prefer",
        "Host",
        "x-openclaw-scopes",
        "x-postern-scopes",
    };

    private static readonly string[] DroppedPrefixes = ["Proxy-", "X-Forwarded-", "Postern-"];

    /// <summary>The sender has shown this secret to the relay, so it must be replaced.</summary>
    public static Refusal NotRelayed { get; } =
        Refusal.BadRequest(
            "A secret that opens a door by itself does not cross a relay, which could use it again: sign the request, "
                + "and rotate this secret.",
            "credential_not_relayed"
        ) with
        {
            ShouldRetry = false,
        };

    /// <summary>Returns whether a request contains a secret that a relay must not see.</summary>
    public static bool HoldBearer(IHeaderDictionary headers) =>
        Array.Exists(Bearers, headers.ContainsKey)
        || headers.Authorization.Any(a =>
            a is not null
            && (a.Contains("pst_", StringComparison.Ordinal) || a.Contains("eyJ", StringComparison.Ordinal))
        );

    /// <summary>Returns pairs of name and value. Values of one name keep their order.</summary>
    public static List<string[]> Of(IHeaderDictionary headers, string identityHeader)
    {
        var named = headers
            .Connection.SelectMany(c => (c ?? "").Split(','))
            .Select(n => n.Trim())
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var passed = new List<string[]>(headers.Count);
        foreach (var (name, values) in headers)
            if (!IsDropped(name, identityHeader) && !named.Contains(name))
                foreach (var value in values)
                    passed.Add([name, value ?? ""]);
        return passed;
    }

    private static bool IsDropped(string name, string identityHeader) =>
        Dropped.Contains(name)
        || name.Equals(identityHeader, StringComparison.OrdinalIgnoreCase)
        || Array.Exists(DroppedPrefixes, p => name.StartsWith(p, StringComparison.OrdinalIgnoreCase));
}
