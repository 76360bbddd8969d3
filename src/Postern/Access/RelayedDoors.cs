using Postern.Http;
using Postern.Settings;

namespace Postern.Access;

/// <summary>
/// What a request may reach that a relay has handed on: the doors of the classes that are relayed, and nothing else,
/// whatever it carries. It carries no secret that whoever runs the relay could use again.
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

    /// <summary>Returns true for a request that came by itself, and for one that a relay may hand on here.</summary>
    public static bool MayReach(HttpContext http, RelayOptions options)
    {
        if (Arrival.Of(http) is null)
            return true;
        var metadata = http.GetEndpoint()?.Metadata;
        var relayClass = metadata?.GetMetadata<Door>()?.RelayedAs ?? metadata?.GetMetadata<OtherMethods>()?.RelayedAs;
        return relayClass is not null && options.Doors.Contains(relayClass, StringComparer.Ordinal);
    }

    /// <summary>Returns why what a relayed request carries is not looked at; null when it is.</summary>
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
