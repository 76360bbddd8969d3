using System.Net;
using Postern.Settings;

namespace Postern.Support;

/// <summary>A browser that signs in with an identity provider, step by step, with its own cookies.</summary>
internal sealed class OidcBrowser : IDisposable
{
    private readonly HttpClient _http;

    public OidcBrowser(TestServer server)
    {
        Server = server;
        _http = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                CookieContainer = Cookies,
                UseCookies = true,
            }
        );
    }

    public TestServer Server { get; }

    public CookieContainer Cookies { get; } = new();

    /// <summary>The settings of a server with such a provider; Ada may read runs.</summary>
    public static Action<PosternOptions> By(OpenIdProvider provider) =>
        options =>
        {
            options.Console.Oidc.Authority = provider.Url;
            options.Console.Oidc.ClientId = OpenIdProvider.ClientId;
            options.Console.Oidc.ClientSecret = OpenIdProvider.ClientSecret;
            options.Operators.Roles["ada@example.com"] = "read:runs";
        };

    public Task<Answer> StartAsync(string query = "") => GetAsync(Server.Url + "/console/oidc/start" + query);

    /// <summary>Goes to the provider and back. Returns the address to which the provider redirects.</summary>
    public async Task<string> BackAsync(string query = "")
    {
        var start = await StartAsync(query);
        Assert.True(start.Status == 302, $"{start.Status} {start.Text}");
        var provider = await GetAsync(start.Header("Location")!);
        Assert.True(provider.Status == 302, $"{provider.Status} {provider.Text}");
        return provider.Header("Location")!;
    }

    /// <summary>Goes the whole way. Returns the answer to the provider's redirect.</summary>
    public async Task<Answer> SignInAsync(string query = "") => await GetAsync(await BackAsync(query));

    public async Task<Answer> GetAsync(string url, string? accept = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (accept is not null)
            request.Headers.Accept.ParseAdd(accept);
        using var response = await _http.SendAsync(request);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    public void Dispose() => _http.Dispose();
}
