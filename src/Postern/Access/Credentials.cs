using System.Net;
using Microsoft.Extensions.Primitives;
using Postern.Http;
using Postern.Settings;

namespace Postern.Access;

/// <summary>What a request presented, tried against what a door accepts.</summary>
internal sealed class Credentials(KeyRing keys, Tokens tokens, CallbackSecrets callbacks, Projects projects, PosternOptions options)
{
    private readonly IPNetwork[] _trustedProxies = [.. options.Operators.TrustedProxies.Select(IPNetwork.Parse)];
    private readonly Dictionary<string, ScopeSet> _roles = options.Operators.Roles.ToDictionary(
        r => r.Key, r => ScopeSet.Parse(r.Value.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries)), StringComparer.Ordinal);

    /// <summary>The caller, or what was unfit about the credential.</summary>
    public async ValueTask<CredentialAnswer> TryAsync(HttpContext http, Opens opens, long now)
    {
        var headers = http.Request.Headers;
        if (opens == Opens.CallbackSecret) return TryCallbackSecret(headers);
        if ((opens & Opens.CallbackToken) != 0 && Single(headers[CallbackTokenHeader]) is { } callback)
            return StringValues.IsNullOrEmpty(headers.Authorization) && StringValues.IsNullOrEmpty(headers["X-API-Key"]) ? await TryCallbackTokenAsync(http, callback) : CredentialAnswer.Ambiguous;
        if ((opens & Opens.InternalKey) != 0 && Single(headers["X-Internal-API-Key"]) is { } internalKey)
        {
            if (headers["X-Internal-API-Key"].Count > 1 || Other(headers) is { } other && other != internalKey) return CredentialAnswer.Ambiguous;
            return await keys.VerifyAsync(internalKey, now) is { } known ? CredentialAnswer.Fit(new ProjectCaller(known.Row.Project, known)) : CredentialAnswer.Unfit(UnfitCredential.BadKey, "unknown_key", KeyText.TryParse(internalKey)?.Id);
        }
        if (Disagree(headers.Authorization, headers["X-API-Key"])) return CredentialAnswer.Ambiguous;
        var bearer = Bearer(headers.Authorization);
        if (bearer is not null && LooksLikeToken(bearer))
            return (opens & Opens.Token) != 0 ? await TryTokenAsync(bearer, now) : CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_kind");
        var key = bearer ?? ((opens & (Opens.Key | Opens.PersonalKey)) != 0 ? Single(headers["X-API-Key"]) : null);
        if (key is not null)
        {
            if ((opens & (Opens.Key | Opens.Operator | Opens.PersonalKey)) == 0) return CredentialAnswer.Unfit(UnfitCredential.BadToken, "malformed");
            if (await keys.VerifyAsync(key, now) is not { } entry) return CredentialAnswer.Unfit(UnfitCredential.BadKey, "unknown_key", KeyText.TryParse(key)?.Id);
            if (opens == Opens.PersonalKey && entry.Row.Kind != "pat") return CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_kind", entry.Row.Id);
            return CredentialAnswer.Fit(new ProjectCaller(entry.Row.Project, entry));
        }
        if ((opens & Opens.Operator) != 0 && StringValues.IsNullOrEmpty(headers.Authorization) && await TryProxyAsync(http) is { } proxied) return CredentialAnswer.Fit(proxied);
        return StringValues.IsNullOrEmpty(headers.Authorization) && StringValues.IsNullOrEmpty(headers["X-API-Key"])
            ? CredentialAnswer.Unfit(UnfitCredential.Missing, "missing")
            : CredentialAnswer.Unfit(UnfitCredential.BadKey, "malformed");
    }

    /// <summary>Whether the connection comes from a proxy that this server was told to believe.</summary>
    public bool FromTrustedProxy(HttpContext http) =>
        http.Connection.RemoteIpAddress is { } address && _trustedProxies.Any(n => n.Contains(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address));

    /// <summary>The client's address: the connection's, or the one that a trusted proxy names. IPv6 by its /64, which one party owns.</summary>
    public string AddressOf(HttpContext http)
    {
        var address = http.Connection.RemoteIpAddress ?? IPAddress.None;
        if (FromTrustedProxy(http) && http.Request.Headers["X-Forwarded-For"].ToString().Split(',')[^1].Trim() is { Length: > 0 } named && IPAddress.TryParse(named, out var client)) address = client;
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 && !IPAddress.IsLoopback(address)
            ? Convert.ToHexStringLower(address.GetAddressBytes().AsSpan(0, 8)) + "::/64"
            : address.ToString();
    }

    public const string CallbackTokenHeader = "X-Callback-Token";
    public const string RunHeader = "x-run-id";
    public const string AttemptHeader = "x-run-attempt";
    public const string ProjectHeader = "x-webhook-project";

    private CredentialAnswer TryCallbackSecret(IHeaderDictionary headers)
    {
        var presented = headers["X-Callback-Secret"];
        if (presented.Count == 0) return CredentialAnswer.Unfit(UnfitCredential.Missing, "missing");
        // Two of them are none: which one was meant is not ours to choose.
        return presented.Count == 1 && callbacks.Verify(presented[0] ?? "") is { } caller ? CredentialAnswer.Fit(caller) : CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_secret");
    }

    /// <summary>The token says nothing by itself: what it was made for stands in the headers and the path, and must make the same token.</summary>
    private async ValueTask<CredentialAnswer> TryCallbackTokenAsync(HttpContext http, string presented)
    {
        var headers = http.Request.Headers;
        var run = Single(headers[RunHeader]) ?? http.Request.RouteValues["run"] as string;
        var project = Single(headers[ProjectHeader]) ?? await projects.DefaultAsync();
        var attempt = 1L;
        if (Single(headers[AttemptHeader]) is { } said && !long.TryParse(said, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out attempt)) attempt = 0;
        if (run is null or { Length: > 128 } || project is null or { Length: > 128 } || !await callbacks.IsRunTokenAsync(presented, project, run, attempt))
            return CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_callback_token");
        return CredentialAnswer.Fit(new ProjectCaller(project, new CallbackTokenAuthority(run, attempt)));
    }

    private async ValueTask<CredentialAnswer> TryTokenAsync(string token, long now)
    {
        var (grant, fault) = await tokens.VerifyAsync(token, now);
        if (grant is null)
        {
            var ended = fault is TokenFault.Expired or TokenFault.Revoked;
            return CredentialAnswer.Unfit(ended ? UnfitCredential.EndedToken : UnfitCredential.BadToken, Reason(fault));
        }
        if (grant.Claims.OneTime && !await tokens.UseOnceAsync(grant)) return CredentialAnswer.Unfit(UnfitCredential.EndedToken, "revoked");
        return CredentialAnswer.Fit(new ProjectCaller(grant.Claims.Project, grant));
    }

    private async ValueTask<ProjectCaller?> TryProxyAsync(HttpContext http)
    {
        if (!FromTrustedProxy(http) || Single(http.Request.Headers[options.Operators.IdentityHeader]) is not { Length: > 0 and <= 256 } identity) return null;
        var scopes = _roles.TryGetValue(identity, out var role) ? role : ScopeSet.Parse(["operator.read"]);
        foreach (var header in (string[])["x-openclaw-scopes", "x-postern-scopes"])
        {
            if (!http.Request.Headers.TryGetValue(header, out var asked)) continue;
            scopes = scopes.NarrowedTo(ScopeSet.Parse(asked.ToString().Split([' ', ','], StringSplitOptions.RemoveEmptyEntries)));
        }
        return await projects.DefaultAsync() is { } project ? new ProjectCaller(project, new ProxyAuthority(identity, scopes)) : null;
    }

    private static string? Other(IHeaderDictionary headers) => Bearer(headers.Authorization) ?? Single(headers["X-API-Key"]);

    private static bool Disagree(StringValues authorization, StringValues apiKey)
    {
        if (authorization.Count > 1 && authorization.Distinct(StringComparer.Ordinal).Count() > 1) return true;
        if (apiKey.Count > 1 && apiKey.Distinct(StringComparer.Ordinal).Count() > 1) return true;
        if (authorization.Count == 0 || apiKey.Count == 0) return false;
        return !string.Equals(Bearer(authorization) ?? "", apiKey[0], StringComparison.Ordinal);
    }

    private static string? Bearer(StringValues authorization)
    {
        if (authorization.Count == 0 || authorization[0] is not { } value) return null;
        return value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && value.AsSpan(7).Trim() is { Length: > 0 } rest ? rest.ToString() : null;
    }

    private static string? Single(StringValues values) => values.Count > 0 && !string.IsNullOrEmpty(values[0]) ? values[0] : null;

    /// <summary>A key has no dots; whatever has two is meant as a token.</summary>
    private static bool LooksLikeToken(string bearer) => bearer.AsSpan().Count('.') >= 2;

    private static string Reason(TokenFault fault) => fault switch
    {
        TokenFault.BadSignature => "bad_signature",
        TokenFault.Expired => "expired",
        TokenFault.Revoked => "revoked",
        TokenFault.WrongProject => "wrong_project",
        _ => "malformed",
    };
}

/// <param name="Caller">Who came in, or null.</param>
/// <param name="Why">What was unfit, when nobody did.</param>
/// <param name="Reason">For the audit and, for tokens, the challenge.</param>
/// <param name="KeyId">The id that a refused key claimed to be: safe to log.</param>
/// <param name="IsAmbiguous">Two credentials that disagree: refused whatever they are.</param>
internal readonly record struct CredentialAnswer(ProjectCaller? Caller, UnfitCredential Why, string Reason, string? KeyId, bool IsAmbiguous)
{
    public static CredentialAnswer Ambiguous { get; } = new(null, default, "ambiguous", null, true);

    public static CredentialAnswer Fit(ProjectCaller caller) => new(caller, default, "", null, false);

    public static CredentialAnswer Unfit(UnfitCredential why, string reason, string? keyId = null) => new(null, why, reason, keyId, false);
}
