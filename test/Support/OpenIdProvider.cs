using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace Postern.Support;

/// <summary>
/// An OpenID provider over real HTTP: its document and keys, the sign-in page, codes that can be used once and are
/// bound to a challenge, signed tokens, userinfo. A test changes its answers by its members.
/// </summary>
internal sealed class OpenIdProvider : IAsyncDisposable
{
    public const string ClientId = "postern";
    public const string ClientSecret = "a secret of the client";
    private const string KeyId = "key-1";
    private readonly WebApplication _app;
    private readonly RSA _key = RSA.Create(2048);
    private readonly ConcurrentDictionary<string, Begun> _codes = new();

    private OpenIdProvider(WebApplication app) => _app = app;

    public string Url => _app.Urls.First();

    /// <summary>The claims of the token about the person.</summary>
    public Dictionary<string, object> Person { get; set; } = Ada;

    /// <summary>The claims of userinfo besides the subject; null: there is no such address.</summary>
    public Dictionary<string, object>? Userinfo { get; set; }

    /// <summary>Changes the claims of a token before it is signed.</summary>
    public Action<Dictionary<string, object>> Claims { get; set; } = _ => { };

    /// <summary>Signs a token, from its header and payload.</summary>
    public Func<string, string> Sign { get; set; } = null!;

    /// <summary>The header of a token.</summary>
    public Dictionary<string, object> Header { get; set; } = new() { ["alg"] = "RS256", ["kid"] = KeyId };

    /// <summary>Answers a path by hand; false: as usual.</summary>
    public Func<HttpContext, Task<bool>> Answers { get; set; } = _ => Task.FromResult(false);

    /// <summary>The issuer in its document; null: its address.</summary>
    public string? Issuer { get; set; }

    /// <summary>How often somebody tried to redeem a code.</summary>
    public int Redeemed => _redeemed;

    private int _redeemed;

    public static Dictionary<string, object> Ada =>
        new()
        {
            ["sub"] = "1",
            ["email"] = "ada@example.com",
            ["email_verified"] = true,
        };

    public static async Task<OpenIdProvider> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var provider = new OpenIdProvider(builder.Build());
        provider.Sign = text =>
            Base64Url.EncodeToString(
                provider._key.SignData(
                    Encoding.ASCII.GetBytes(text),
                    HashAlgorithmName.SHA256,
                    RSASignaturePadding.Pkcs1
                )
            );
        provider._app.Run(provider.AnswerAsync);
        await provider._app.StartAsync();
        return provider;
    }

    /// <summary>The public key as bytes, which a broken verifier may take for a shared secret.</summary>
    public byte[] PublicKey => Encoding.ASCII.GetBytes(_key.ExportSubjectPublicKeyInfoPem());

    public ValueTask DisposeAsync()
    {
        _key.Dispose();
        return _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        if (await Answers(http))
            return;
        await (
            http.Request.Path.Value switch
            {
                "/.well-known/openid-configuration" => http.Response.WriteAsJsonAsync(Document()),
                "/keys" => http.Response.WriteAsJsonAsync(new { keys = new[] { KeyDocument() } }),
                "/authorize" => AuthorizeAsync(http),
                "/token" => RedeemAsync(http),
                "/userinfo" => http.Response.WriteAsJsonAsync(Userinfo),
                _ => Status(http, 404),
            }
        );
    }

    private Dictionary<string, object> Document()
    {
        var document = new Dictionary<string, object>
        {
            ["issuer"] = Issuer ?? Url,
            ["authorization_endpoint"] = Url + "/authorize",
            ["token_endpoint"] = Url + "/token",
            ["jwks_uri"] = Url + "/keys",
            ["scopes_supported"] = new[] { "openid", "email", "groups" },
            ["response_types_supported"] = new[] { "code" },
            ["id_token_signing_alg_values_supported"] = new[] { "RS256" },
        };
        if (Userinfo is not null)
            document["userinfo_endpoint"] = Url + "/userinfo";
        return document;
    }

    private object KeyDocument()
    {
        var key = _key.ExportParameters(false);
        return new
        {
            kty = "RSA",
            use = "sig",
            alg = "RS256",
            kid = KeyId,
            n = Base64Url.EncodeToString(key.Modulus),
            e = Base64Url.EncodeToString(key.Exponent),
        };
    }

    /// <summary>A page with one button that sends the browser back with a code.</summary>
    private async Task AuthorizeAsync(HttpContext http)
    {
        var query = http.Request.Query;
        if (query["client_id"] != ClientId || query["response_type"] != "code" || query["state"].Count != 1)
        {
            await Status(http, 400);
            return;
        }
        var code = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        _codes[code] = new Begun(query["nonce"]!, query["code_challenge"]!, query["redirect_uri"]!);
        var back = $"{query["redirect_uri"]}?code={code}&state={Uri.EscapeDataString(query["state"]!)}";
        if (!http.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.Ordinal))
        {
            http.Response.Redirect(back);
            return;
        }
        http.Response.ContentType = "text/html";
        var link = back.Replace("&", "&amp;", StringComparison.Ordinal);
        await http.Response.WriteAsync($"<!DOCTYPE html><title>Provider</title><a id=go href=\"{link}\">Ada</a>");
    }

    private async Task RedeemAsync(HttpContext http)
    {
        Interlocked.Increment(ref _redeemed);
        using var reader = new StreamReader(http.Request.Body);
        var form = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(await reader.ReadToEndAsync());
        if (form["client_id"] != ClientId || form["client_secret"] != ClientSecret)
        {
            await Refuse(http, "invalid_client");
            return;
        }
        var challenge = Base64Url.EncodeToString(
            SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString()))
        );
        if (
            !_codes.TryRemove(form["code"].ToString(), out var begun)
            || begun.Challenge != challenge
            || begun.RedirectUri != form["redirect_uri"]
        )
        {
            await Refuse(http, "invalid_grant");
            return;
        }
        await http.Response.WriteAsJsonAsync(
            new
            {
                access_token = "an access token",
                token_type = "Bearer",
                expires_in = 60,
                id_token = TokenOf(begun.Nonce),
            }
        );
    }

    private string TokenOf(string nonce)
    {
        var now = EpochTime.GetIntDate(TimeProvider.System.GetLocalNow().UtcDateTime);
        var claims = new Dictionary<string, object>(Person)
        {
            ["iss"] = Url,
            ["aud"] = ClientId,
            ["iat"] = now,
            ["exp"] = now + 300,
            ["nonce"] = nonce,
        };
        Claims(claims);
        var text = Encoded(Header) + "." + Encoded(claims);
        return text + "." + Sign(text);
    }

    private static string Encoded(object value) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(value));

    private static Task Status(HttpContext http, int status)
    {
        http.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    private static Task Refuse(HttpContext http, string error)
    {
        http.Response.StatusCode = 400;
        return http.Response.WriteAsJsonAsync(new { error, error_description = "<script>alert(1)</script> ada" });
    }

    private sealed record Begun(string Nonce, string Challenge, string RedirectUri);
}
