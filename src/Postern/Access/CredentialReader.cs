using System.Net;
using Microsoft.Extensions.Primitives;
using Postern.Http;
using Postern.Settings;

namespace Postern.Access;

/// <summary>Reads the credential of a request, and checks it against those that the door accepts.</summary>
internal sealed class CredentialReader(
    KeyRing keys,
    CallbackCredentials callbacks,
    Tokens tokens,
    RunAttempts runs,
    ConsoleSessions consoles,
    Projects projects,
    PosternOptions options
)
{
    private readonly OperatorRoles _roles = new(options);
    private readonly IPNetwork[] _trustedProxies = [.. options.Operators.TrustedProxies.Select(IPNetwork.Parse)];

    /// <summary>Returns the grant of a live key, wherever its text was found, or null when there is none.</summary>
    public ValueTask<KeyGrant?> KeyOfAsync(string text, long now) => keys.VerifyAsync(text, now);

    /// <summary>Returns the caller, or what was wrong with the credential.</summary>
    public async ValueTask<CredentialAnswer> TryAsync(HttpContext http, Door door, long now)
    {
        var (headers, opens) = (http.Request.Headers, door.Credentials);
        if (opens == Credentials.Console)
            return await TryConsoleAsync(http, now);
        if (await TryCallbackAsync(http, door) is { } callback)
            return callback;
        var internalKey = opens.HasFlag(Credentials.InternalKey) ? headers["X-Internal-API-Key"] : default;
        if (Disagree(headers.Authorization, headers["X-API-Key"]) || DisagreesWith(internalKey, headers))
            return CredentialAnswer.Ambiguous;
        if (internalKey.Count > 0)
            return await TryKeyAsync(http, internalKey[0] ?? "", opens, now);
        return await TryUsualAsync(http, door, now);
    }

    /// <summary>
    /// Reads a callback's secret, token or signature. Returns null when the request has none that the door accepts.
    /// </summary>
    private async ValueTask<CredentialAnswer?> TryCallbackAsync(HttpContext http, Door door)
    {
        var (headers, opens) = (http.Request.Headers, door.Credentials);
        var isSigned = opens.HasFlag(Credentials.CallbackSignature) && CallbackCredentials.IsSigned(headers);
        if (opens.HasFlag(Credentials.CallbackSecret))
            return isSigned && headers["X-Callback-Secret"].Count == 0
                ? await callbacks.TrySignedAsync(http, door)
                : callbacks.TrySecret(headers);
        var given = (isSigned ? 1 : 0) + (opens.HasFlag(Credentials.CallbackToken) ? TokensIn(headers) : 0);
        if (given == 0)
            return null;
        if (given > 1 || BearerOrKey(headers) is not null)
            return CredentialAnswer.Ambiguous;
        return isSigned ? await callbacks.TrySignedAsync(http, door) : await callbacks.TryTokenAsync(http);

        static int TokensIn(IHeaderDictionary headers) => headers[CallbackTokenHeader].Count;
    }

    /// <summary>Returns whether an internal key, if there is one, comes together with another credential.</summary>
    private static bool DisagreesWith(StringValues internalKey, IHeaderDictionary headers) =>
        internalKey.Count > 1
        || (internalKey.Count == 1 && BearerOrKey(headers) is { } other && other != internalKey[0]);

    /// <summary>Reads a token, a key, or an operator for whom a proxy vouches.</summary>
    private async ValueTask<CredentialAnswer> TryUsualAsync(HttpContext http, Door door, long now)
    {
        var (headers, opens) = (http.Request.Headers, door.Credentials);
        var bearer = Bearer(headers.Authorization);
        if (bearer is not null && LooksLikeToken(bearer))
            return await TryTokenAsync(bearer, door, now);
        var takesKeys = (opens & (Credentials.Key | Credentials.PersonalKey)) != 0;
        if ((bearer ?? (takesKeys ? Single(headers["X-API-Key"]) : null)) is { } key)
            return await TryKeyAsync(http, key, opens, now);
        var isBare = StringValues.IsNullOrEmpty(headers.Authorization);
        if (isBare && opens.HasFlag(Credentials.Operator) && FromTrustedProxy(http))
            return await TryProxyAsync(headers);
        return isBare && StringValues.IsNullOrEmpty(headers["X-API-Key"])
            ? CredentialAnswer.Unfit(UnfitCredential.Missing, "missing")
            : CredentialAnswer.Unfit(UnfitCredential.BadKey, "malformed");
    }

    /// <summary>Returns whether the connection comes from a trusted proxy.</summary>
    public bool FromTrustedProxy(HttpContext http) =>
        Arrival.Of(http) is null
        && http.Connection.RemoteIpAddress is { } address
        && ClientAddress.IsTrusted(address, _trustedProxies);

    /// <summary>Returns whether the request came over TLS, to this server or to a trusted proxy.</summary>
    public bool IsOverTls(HttpContext http) =>
        http.Request.IsHttps
        || (
            FromTrustedProxy(http)
            && http.Request.Headers["X-Forwarded-Proto"] is [{ } scheme]
            && scheme.Equals("https", StringComparison.OrdinalIgnoreCase)
        );

    /// <summary>Returns the client's address, behind trusted proxies.</summary>
    public IPAddress ClientOf(HttpContext http) =>
        Arrival.Of(http) is { } arrival
            ? arrival.Source ?? IPAddress.None
            : ClientAddress.Of(http.Connection.RemoteIpAddress, http.Request.Headers, _trustedProxies);

    /// <summary>
    /// Returns the client's address as it is counted and stored: IPv6 by its /64, which belongs to one party.
    /// </summary>
    public string AddressOf(HttpContext http) =>
        Arrival.Of(http) is null ? Shown(ClientOf(http)) : Shown(ClientOf(http)) + " (says a relay)";

    public static string Shown(IPAddress address)
    {
        if (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address))
            return address.ToString();
        var network = address.GetAddressBytes();
        network.AsSpan(8).Clear();
        return new IPAddress(network) + "/64";
    }

    public const string CallbackTokenHeader = "X-Callback-Token";
    public const string RunHeader = "x-run-id";
    public const string AttemptHeader = "x-run-attempt";
    public const string ProjectHeader = "x-webhook-project";

    /// <summary>Returns the session of the console's cookie. Every other credential beside it is ignored.</summary>
    private async ValueTask<CredentialAnswer> TryConsoleAsync(HttpContext http, long now)
    {
        if (http.Request.Cookies[ConsoleSessions.Cookie] is not { Length: > 0 } cookie)
            return CredentialAnswer.Unfit(UnfitCredential.Missing, "missing");
        if (await consoles.FindAsync(cookie, now) is not { } session)
            return CredentialAnswer.Unfit(UnfitCredential.EndedToken, "no_session");
        if (session.Row.IsOfProxy)
        {
            // The proxy names the person with each request. If it names another one, nobody has this session.
            var vouched = await TryProxyAsync(http);
            if (vouched.Caller is not { } person || person.Authority.Actor != session.Row.Person)
            {
                await consoles.EndAsync(session.Row.Project, session.Row.Id, "other_identity");
                return CredentialAnswer.Unfit(UnfitCredential.EndedToken, "other_identity");
            }
            return Fit(session.Row.Project, new ConsoleAuthority(session, person.Authority, cookie));
        }
        if (session.Row.Roles is { } roles)
            return options.Console.Oidc.IsOn() && _roles.OfNames(roles) is { } scopes
                ? Fit(
                    session.Row.Project,
                    new ConsoleAuthority(session, new ProxyAuthority(session.Row.Person!, scopes), cookie)
                )
                : CredentialAnswer.Unfit(UnfitCredential.EndedToken, "no_role");
        return await consoles.GrantOfAsync(session.Row) is { } grant && grant.WhyEnded(now) is null
            ? Fit(session.Row.Project, new ConsoleAuthority(session, grant, cookie))
            : CredentialAnswer.Unfit(UnfitCredential.EndedToken, StreamEnd.Revoked, session.Row.Credential);
    }

    /// <summary>Returns the authority of a person whom a trusted proxy names.</summary>
    public ScopeSet ScopesOf(string identity) => _roles.Of(identity) ?? ScopeSet.Parse(["operator.read"]);

    /// <summary>Returns the identity that a trusted proxy names in this request.</summary>
    public async ValueTask<CredentialAnswer> TryProxyAsync(HttpContext http) =>
        FromTrustedProxy(http)
            ? await TryProxyAsync(http.Request.Headers)
            : CredentialAnswer.Unfit(UnfitCredential.Missing, "missing");

    private async ValueTask<CredentialAnswer> TryKeyAsync(HttpContext http, string key, Credentials opens, long now)
    {
        if ((opens & (Credentials.Key | Credentials.Operator | Credentials.PersonalKey)) == 0)
            return CredentialAnswer.Unfit(UnfitCredential.BadToken, "malformed");
        if (await keys.VerifyAsync(key, now) is not { } grant)
            return CredentialAnswer.Unfit(UnfitCredential.BadKey, keys.WhyRefused(key, now, out var keyId), keyId);
        var row = grant.Key.Row;
        if (opens == Credentials.PersonalKey && row.Kind != "pat")
            return CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_kind", row.Id);
        grant.Key.UsedFrom(ClientOf(http), now);
        return Fit(row.Project, grant);
    }

    private async ValueTask<CredentialAnswer> TryTokenAsync(string token, Door door, long now)
    {
        if ((door.Credentials & (Credentials.Token | Credentials.RunToken)) == 0)
            return CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_kind");
        var (grant, fault) = await tokens.VerifyAsync(token, now);
        if (grant is null)
            return EndedOrBad(fault);
        if (grant.Claims.Worker is { } worker)
            return await TryRunTokenAsync(grant, worker, door, now);
        if ((door.Credentials & Credentials.Token) == 0)
            return CredentialAnswer.Unfit(UnfitCredential.BadToken, "wrong_kind");
        if (grant.Claims.OneTime && !await tokens.UseOnceAsync(grant))
            return EndedOrBad(TokenFault.Revoked);
        return Fit(grant.Claims.Project, grant);
    }

    /// <summary>A run's token opens its run's doors while its attempt has the run; it opens no other door.</summary>
    private async ValueTask<CredentialAnswer> TryRunTokenAsync(TokenGrant grant, Worker worker, Door door, long now)
    {
        if ((door.Credentials & Credentials.RunToken) == 0)
            return CredentialAnswer.Unfit(UnfitCredential.BadToken, "wrong_kind");
        var authority = new RunGrant(grant, worker, await runs.OfAsync(grant.Claims.Project, worker.Run), door.Late);
        return authority.WhyEnded(now) is null ? Fit(grant.Claims.Project, authority) : EndedOrBad(TokenFault.Revoked);
    }

    private async ValueTask<CredentialAnswer> TryProxyAsync(IHeaderDictionary headers)
    {
        var named = headers[options.Operators.IdentityHeader];
        // A proxy that appends leaves the client's own value before it, so two values are refused.
        if (named.Count > 1)
            return CredentialAnswer.Ambiguous;
        if (Single(named) is not { Length: <= 256 } identity || await projects.DefaultAsync() is not { } project)
            return CredentialAnswer.Unfit(UnfitCredential.Missing, "missing");
        var scopes = ScopesOf(identity);
        foreach (var header in (string[])["x-openclaw-scopes", "x-postern-scopes"])
        {
            if (!headers.TryGetValue(header, out var asked))
                continue;
            if (asked.Count > 1)
                return CredentialAnswer.Ambiguous;
            scopes = scopes.Intersect(
                ScopeSet.Parse(asked.ToString().Split([' ', ','], StringSplitOptions.RemoveEmptyEntries))
            );
        }
        return Fit(project, new ProxyAuthority(identity, scopes));
    }

    private CredentialAnswer Fit(string project, Authority authority) =>
        CredentialAnswer.Fit(projects.Caller(project, authority));

    private static CredentialAnswer EndedOrBad(TokenFault fault) =>
        CredentialAnswer.Unfit(
            fault is TokenFault.Expired or TokenFault.Revoked ? UnfitCredential.EndedToken : UnfitCredential.BadToken,
            Reason(fault)
        );

    private static string? BearerOrKey(IHeaderDictionary headers) =>
        Bearer(headers.Authorization) ?? Single(headers["X-API-Key"]);

    private static bool Disagree(StringValues authorization, StringValues apiKey)
    {
        if (authorization.Count > 1 && authorization.Distinct(StringComparer.Ordinal).Count() > 1)
            return true;
        if (apiKey.Count > 1 && apiKey.Distinct(StringComparer.Ordinal).Count() > 1)
            return true;
        // Basic authentication is none of our credentials, but many proxies use it. A key in its own header counts
        // beside it.
        if (
            authorization.Count == 0
            || apiKey.Count == 0
            || authorization[0]?.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase) == true
        )
            return false;
        return !string.Equals(Bearer(authorization) ?? "", apiKey[0], StringComparison.Ordinal);
    }

    private static string? Bearer(StringValues authorization)
    {
        if (authorization.Count == 0 || authorization[0] is not { } value)
            return null;
        return
            value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            && value.AsSpan(7).Trim() is { Length: > 0 } rest
            ? rest.ToString()
            : null;
    }

    private static string? Single(StringValues values) =>
        values.Count > 0 && !string.IsNullOrEmpty(values[0]) ? values[0] : null;

    /// <summary>A key has no dots; a text with two dots is meant as a token.</summary>
    private static bool LooksLikeToken(string bearer) => bearer.AsSpan().Count('.') >= 2;

    private static string Reason(TokenFault fault) =>
        fault switch
        {
            TokenFault.BadSignature => "bad_signature",
            TokenFault.Expired => "expired",
            TokenFault.Revoked => "revoked",
            TokenFault.WrongProject => "wrong_project",
            _ => "malformed",
        };
}
