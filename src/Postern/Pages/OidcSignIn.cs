using System.Buffers.Text;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using Postern.Access;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Calls ASP.NET's OpenID Connect handler: code flow with PKCE, state and nonce. The state is sealed
/// (<see cref="OidcState"/>), belongs to the browser with its cookie, and can be used once. A token is accepted only
/// when the provider's key signed it for this client, with the nonce of this browser. The handler opens no session; it
/// only returns the person whom the provider named.
/// </summary>
internal sealed class OidcSignIn
{
    private const string Scheme = "oidc";
    private const string StateCookie = "postern_oidc.";
    private const string NonceCookie = "postern_nonce.";
    private const string OnceItem = "once";

    /// <summary>The most sign-ins that one browser may have open. One more makes all earlier ones invalid.</summary>
    private const int MostBegun = 8;

    /// <summary>The longest state: it is part of an address.</summary>
    private const int MaxNext = 1000;

    /// <summary>The most answers of the provider that are checked at the same time.</summary>
    private const int MostAtOnce = 32;

    private readonly OpenIdConnectOptions _options;
    private readonly OidcProvider _provider;
    private readonly PosternOptions _settings;
    private readonly CredentialReader _credentials;
    private readonly Paths _paths;
    private readonly Database _database;
    private readonly SemaphoreSlim _places = new(MostAtOnce);

    public OidcSignIn(
        PosternOptions settings,
        MasterKey master,
        CredentialReader credentials,
        Paths paths,
        Database database,
        TimeProvider clock
    )
    {
        (_settings, _credentials, _paths, _database) = (settings, credentials, paths, database);
        _provider = new OidcProvider(settings, clock);
        _options = OptionsOf(settings.Console.Oidc, new OidcState(master, database));
        _options.Validate(Scheme);
    }

    /// <summary>Sends the browser to the provider.</summary>
    /// <param name="next">Where to go afterwards, as the browser said.</param>
    /// <exception cref="OidcFaultException">The provider is away.</exception>
    public async Task StartAsync(HttpContext http, string next)
    {
        var said = await _provider.GetConfigurationAsync(http.RequestAborted);
        var properties = new AuthenticationProperties
        {
            RedirectUri = next.Length is > 0 and <= MaxNext ? next : ConsoleFamily.Prefix,
        };
        properties.Items[OnceItem] = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        if (_settings.Console.Oidc.GroupsClaim.Length > 0 && said.ScopesSupported.Contains("groups"))
            properties.SetParameter(OpenIdConnectParameterNames.Scope, (string[])[.. _options.Scope, "groups"]);
        ForgetOld(http);
        await (await HandlerAsync(http)).ChallengeAsync(properties);
    }

    /// <summary>Checks the provider's answer.</summary>
    /// <exception cref="OidcFaultException">It does not hold.</exception>
    public async Task<OidcPerson> FinishAsync(HttpContext http)
    {
        if (!await _places.WaitAsync(TimeSpan.Zero))
            throw new OidcFaultException("too many answers at once");
        try
        {
            var answer = new OidcAnswer();
            http.Features.Set(answer);
            await (await HandlerAsync(http)).HandleRequestAsync();
            if (answer is not { Identity: { } identity, Next: { } next })
                throw new OidcFaultException(answer.Fault);
            var oidc = _settings.Console.Oidc;
            return OidcPerson.Of(identity, answer.Userinfo, oidc.Claim, oidc.GroupsClaim, next);
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task<OpenIdConnectHandler> HandlerAsync(HttpContext http)
    {
        // The handler needs it for the cookies and for its own address.
        if (_credentials.IsOverTls(http))
            http.Request.Scheme = "https";
        // Nothing that a browser or the provider sent is written to the log.
        var handler = new OpenIdConnectHandler(
            new Fixed(_options),
            NullLoggerFactory.Instance,
            HtmlEncoder.Default,
            UrlEncoder.Default
        );
        await handler.InitializeAsync(new AuthenticationScheme(Scheme, null, typeof(OpenIdConnectHandler)), http);
        return handler;
    }

    private OpenIdConnectOptions OptionsOf(OidcOptions oidc, OidcState state)
    {
        var options = new OpenIdConnectOptions
        {
            Authority = oidc.Authority,
            ClientId = oidc.ClientId,
            ClientSecret = oidc.ClientSecret.Length > 0 ? oidc.ClientSecret : null,
            CallbackPath = ConsoleFamily.Prefix + "/oidc/callback",
            // Never used to sign in: the console begins its sessions with its own code.
            SignInScheme = "none",
            ResponseType = OpenIdConnectResponseType.Code,
            ResponseMode = OpenIdConnectResponseMode.Query,
            UsePkce = true,
            PushedAuthorizationBehavior = PushedAuthorizationBehavior.Disable,
            MapInboundClaims = false,
            GetClaimsFromUserInfoEndpoint = true,
            DisableTelemetry = true,
            RequireHttpsMetadata = false,
            RemoteAuthenticationTimeout = TimeSpan.FromMicroseconds(OidcState.Microseconds),
            ConfigurationManager = _provider,
            Backchannel = _provider.Client,
            StateDataFormat = state,
            StringDataFormat = state,
            TokenHandler = new SignedTokens { MapInboundClaims = false },
            TokenValidationParameters = new TokenValidationParameters
            {
                ValidAudience = oidc.ClientId,
                RequireExpirationTime = true,
                ClockSkew = TimeSpan.FromMinutes(1),
                ValidAlgorithms =
                [
                    SecurityAlgorithms.RsaSha256,
                    SecurityAlgorithms.RsaSha384,
                    SecurityAlgorithms.RsaSha512,
                    SecurityAlgorithms.RsaSsaPssSha256,
                    SecurityAlgorithms.RsaSsaPssSha384,
                    SecurityAlgorithms.RsaSsaPssSha512,
                    SecurityAlgorithms.EcdsaSha256,
                    SecurityAlgorithms.EcdsaSha384,
                    SecurityAlgorithms.EcdsaSha512,
                ],
            },
            Events = new OpenIdConnectEvents
            {
                OnRedirectToIdentityProvider = Leave,
                OnAuthorizationCodeReceived = TakeOnceAsync,
                OnUserInformationReceived = KeepUserinfo,
                OnTicketReceived = Keep,
                OnRemoteFailure = KeepFault,
            },
        };
        options.Scope.Add("email");
        // The person is read from the provider's own claims, not from the ones that the handler made from them.
        options.ClaimActions.Clear();
        // The provider's page leads here by a link, which sends a lax cookie.
        (options.CorrelationCookie.Name, options.NonceCookie.Name) = (StateCookie, NonceCookie);
        foreach (var cookie in (CookieBuilder[])[options.CorrelationCookie, options.NonceCookie])
        {
            cookie.SameSite = SameSiteMode.Lax;
            cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            cookie.Path = _paths.Of("/oidc");
        }
        return options;
    }

    private Task Leave(RedirectContext context)
    {
        var request = context.Request;
        var here = _settings.PublicUrl.Length > 0 ? _settings.PublicUrl : $"{request.Scheme}://{request.Host}";
        context.ProtocolMessage.RedirectUri = here + ConsoleFamily.Prefix + "/oidc/callback";
        return Task.CompletedTask;
    }

    /// <summary>A state that was used before is a copy. It is refused before the provider is asked.</summary>
    private async Task TakeOnceAsync(AuthorizationCodeReceivedContext context)
    {
        var isFirst =
            context.Properties?.Items.TryGetValue(OnceItem, out var once) == true
            && await _database.WriteAsync(tx =>
                tx.ExecuteAsync(
                    """
                    INSERT INTO console_once (project, session, once, outcome, at) VALUES ('-', 'oidc', $1, '', $2)
                    ON CONFLICT (project, session, once) DO NOTHING
                    """,
                    once,
                    tx.Now
                )
            ) == 1;
        if (!isFirst)
            context.Fail(new OidcFaultException("the state was used before"));
    }

    private static Task KeepUserinfo(UserInformationReceivedContext context)
    {
        AnswerOf(context.HttpContext).Userinfo = context.User.RootElement.Clone();
        return Task.CompletedTask;
    }

    private static Task Keep(TicketReceivedContext context)
    {
        var answer = AnswerOf(context.HttpContext);
        answer.Identity = context.Principal?.Identity as ClaimsIdentity;
        answer.Next = context.ReturnUri ?? "";
        context.HandleResponse();
        return Task.CompletedTask;
    }

    private static Task KeepFault(RemoteFailureContext context)
    {
        AnswerOf(context.HttpContext).Fault = context.Failure;
        context.HandleResponse();
        return Task.CompletedTask;
    }

    /// <summary>Cookies of unfinished sign-ins would make this browser's headers grow.</summary>
    private void ForgetOld(HttpContext http)
    {
        string[] begun =
        [
            .. http.Request.Cookies.Keys.Where(k =>
                k.StartsWith(StateCookie, StringComparison.Ordinal)
                || k.StartsWith(NonceCookie, StringComparison.Ordinal)
            ),
        ];
        if (begun.Length < 2 * MostBegun)
            return;
        foreach (var name in begun)
            http.Response.Cookies.Delete(name, new CookieOptions { Path = _paths.Of("/oidc") });
    }

    private static OidcAnswer AnswerOf(HttpContext http) => http.Features.Get<OidcAnswer>()!;

    /// <summary>
    /// ASP.NET's handler does not require a signature on a token that came directly from the provider, because TLS
    /// protects it. Here both are required.
    /// </summary>
    private sealed class SignedTokens : JsonWebTokenHandler
    {
        public override Task<TokenValidationResult> ValidateTokenAsync(
            string token,
            TokenValidationParameters validationParameters
        )
        {
            validationParameters.RequireSignedTokens = true;
            return base.ValidateTokenAsync(token, validationParameters);
        }
    }

    private sealed class OidcAnswer
    {
        public ClaimsIdentity? Identity { get; set; }

        public JsonElement? Userinfo { get; set; }

        public string? Next { get; set; }

        public Exception? Fault { get; set; }
    }

    private sealed class Fixed(OpenIdConnectOptions options) : IOptionsMonitor<OpenIdConnectOptions>
    {
        public OpenIdConnectOptions CurrentValue => options;

        public OpenIdConnectOptions Get(string? name) => options;

        public IDisposable? OnChange(Action<OpenIdConnectOptions, string?> listener) => null;
    }
}
