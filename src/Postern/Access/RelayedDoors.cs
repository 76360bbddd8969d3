using Postern.Http;
using Postern.Settings;

namespace Postern.Access;

/// <summary>
/// Decides what a relayed request may reach: only doors of the relayed classes, whatever the request contains. It may
/// not contain a secret that the relay's operator could use again.
/// </summary>
internal static class RelayedDoors
{
    private static readonly string[] Secrets =
    [
        "X-API-Key",
        "X-Internal-API-Key",
        "X-Callback-Secret",
        CredentialReader.CallbackTokenHeader,
    ];

    /// <summary>
    /// Returns true for a request that did not come through a relay, and for one that a relay may pass to this door.
    /// </summary>
    public static bool MayReach(HttpContext http, RelayOptions options)
    {
        if (Arrival.Of(http) is null)
            return true;
        var metadata = http.GetEndpoint()?.Metadata;
        var relayClass = metadata?.GetMetadata<Door>()?.RelayedAs ?? metadata?.GetMetadata<OtherMethods>()?.RelayedAs;
        return relayClass is not null && options.Doors.Contains(relayClass, StringComparer.Ordinal);
    }

    /// <summary>Returns why a relayed request is refused because of what it carries, or null.</summary>
    public static Refusal? WhyNot(HttpContext http)
    {
        if (Arrival.Of(http) is null)
            return null;
        var headers = http.Request.Headers;
        var bearer = headers.Authorization.ToString();
        return
            Array.Exists(Secrets, headers.ContainsKey)
            || bearer.Contains("pst_", StringComparison.Ordinal)
            || bearer.Contains("eyJ", StringComparison.Ordinal)
            ? Refusal.BadRequest(
                "A secret that can be used again does not travel through a relay: rotate it, and sign instead.",
                "credential_not_relayed"
            )
            : null;
    }
}
