using System.Net;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Postern.Settings;

namespace Postern.Pages;

/// <summary>
/// The identity provider's own description: its addresses and its keys, read when they are first needed and then once a
/// day. When several requests need it, one reads it. While the provider cannot be reached, it is asked only every few
/// seconds.
/// </summary>
internal sealed class OidcProvider : IConfigurationManager<OpenIdConnectConfiguration>
{
    private const int MaxBytes = 1024 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private readonly string _authority;
    private readonly TimeProvider _clock;
    private readonly ConfigurationManager<OpenIdConnectConfiguration> _document;
    private Task<OpenIdConnectConfiguration>? _reading;
    private long _begun;

    public OidcProvider(PosternOptions options, TimeProvider clock)
    {
        _clock = clock;
        _authority = options.Console.Oidc.Authority.TrimEnd('/');
        Client = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                UseProxy = options.Outbound.Proxy.Length > 0,
                Proxy = options.Outbound.Proxy.Length > 0 ? new WebProxy(options.Outbound.Proxy) : null,
                PooledConnectionLifetime = TimeSpan.FromMinutes(2),
                MaxResponseHeadersLength = 64,
            }
        )
        {
            Timeout = Patience,
            MaxResponseContentBufferSize = MaxBytes,
        };
        _document = new ConfigurationManager<OpenIdConnectConfiguration>(
            _authority + "/.well-known/openid-configuration",
            new OpenIdConnectConfigurationRetriever(),
            // The settings allow plain http for loopback only.
            new HttpDocumentRetriever(Client)
            {
                RequireHttps = _authority.StartsWith("https:", StringComparison.Ordinal),
            }
        );
    }

    /// <summary>Requests to the provider.</summary>
    public HttpClient Client { get; }

    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel)
    {
        Task<OpenIdConnectConfiguration> reading;
        lock (_gate)
        {
            if (_reading is not { IsCompleted: false } && !IsPausing)
                (_reading, _begun) = (ReadAsync(), _clock.GetTimestamp());
            reading = _reading!;
        }
        return await reading.WaitAsync(cancel);
    }

    public void RequestRefresh() => _document.RequestRefresh();

    /// <summary>
    /// Returns what is wrong with the configured provider, in words for the doctor; null when it answers.
    /// </summary>
    public static async Task<string?> ValidateAsync(PosternOptions options, CancellationToken cancel)
    {
        var provider = new OidcProvider(options, TimeProvider.System);
        using (provider.Client)
        {
            try
            {
                await provider.GetConfigurationAsync(cancel);
                return null;
            }
            catch (OidcFaultException fault)
            {
                return fault.Message;
            }
        }
    }

    private bool IsPausing => _reading is { IsFaulted: true } && _clock.GetElapsedTime(_begun) < Pause;

    private async Task<OpenIdConnectConfiguration> ReadAsync()
    {
        // Runs outside the lock, so that no other request waits for it.
        await Task.Yield();
        OpenIdConnectConfiguration said;
        try
        {
            said = await _document.GetConfigurationAsync(CancellationToken.None);
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            throw new OidcFaultException(fault);
        }
        if (said.Issuer?.TrimEnd('/') != _authority)
            throw new OidcFaultException("it calls itself by another name than Postern:Console:Oidc:Authority");
        if (!IsAddress(said.AuthorizationEndpoint) || !IsAddress(said.TokenEndpoint))
            throw new OidcFaultException("it names no addresses to sign in at");
        if (said.SigningKeys.Count == 0)
            throw new OidcFaultException("it names no keys");
        return said;
    }

    private bool IsAddress(string? url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri)
        && (
            uri.Scheme == "https" || (uri.Scheme == "http" && _authority.StartsWith("http:", StringComparison.Ordinal))
        );
}
