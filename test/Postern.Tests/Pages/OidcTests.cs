using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>Signing in by an identity provider: who is let in, and which answers count.</summary>
public sealed class OidcTests : IAsyncLifetime
{
    private OpenIdProvider _provider = null!;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await OpenIdProvider.StartAsync();
        _server = await TestServer.StartAsync(set: OidcBrowser.By(_provider));
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _provider.DisposeAsync();
    }

    private static string? SessionOf(OidcBrowser browser) =>
        browser.Cookies.GetCookies(new Uri(browser.Server.Url + "/console"))[ConsoleSessions.Cookie]?.Value;

    [Fact]
    public async Task A_person_with_a_role_comes_in_with_its_rights_and_no_more()
    {
        using var browser = new OidcBrowser(_server);
        var page = await browser.GetAsync(_server.Url + "/console/sign-in?next=%2Fconsole%2Fruns");
        Assert.Contains("/console/oidc/start?next=%2Fconsole%2Fruns", page.Text, StringComparison.Ordinal);
        var start = await browser.StartAsync("?next=%2Fconsole%2Fruns");
        Assert.StartsWith(_provider.Url + "/authorize?", start.Header("Location")!, StringComparison.Ordinal);
        foreach (var part in (string[])["code_challenge_method=S256", "state=", "nonce=", "response_type=code"])
            Assert.Contains(part, start.Header("Location")!, StringComparison.Ordinal);
        foreach (var part in (string[])["httponly", "samesite=lax", "path=/console/oidc"])
            Assert.Contains(part, start.Header("Set-Cookie")!, StringComparison.Ordinal);
        var answer = await browser.SignInAsync("?next=%2Fconsole%2Fruns");
        Assert.Equal(200, answer.Status);
        Assert.Contains("content=\"0;url=/console/runs\"", answer.Text, StringComparison.Ordinal);
        Assert.Contains("samesite=strict", answer.Header("Set-Cookie")!, StringComparison.Ordinal);
        var runs = await browser.GetAsync(_server.Url + "/console/runs");
        Assert.Equal(200, runs.Status);
        Assert.Contains("ada@example.com", runs.Text, StringComparison.Ordinal);
        Assert.Equal(403, (await browser.GetAsync(_server.Url + "/console/sessions")).Status);
    }

    /// <summary>Answers of a provider that must not let anybody in.</summary>
    private static readonly Dictionary<string, Action<OpenIdProvider>> Attacks = new(StringComparer.Ordinal)
    {
        ["another issuer"] = p => p.Claims = c => c["iss"] = "https://evil.example",
        ["another client's token"] = p => p.Claims = c => c["aud"] = "another",
        ["for two clients, made for another"] = p =>
            p.Claims = c => (c["aud"], c["azp"]) = (new[] { "another", OpenIdProvider.ClientId }, "another"),
        ["expired"] = p => p.Claims = c => c["exp"] = (long)c["iat"] - 3600,
        ["without an end"] = p => p.Claims = c => c.Remove("exp"),
        ["another nonce"] = p => p.Claims = c => c["nonce"] = "MTIz.another",
        ["without a nonce"] = p => p.Claims = c => c.Remove("nonce"),
        ["alg none"] = p => (p.Header["alg"], p.Sign) = ("none", _ => ""),
        ["unsigned"] = p => p.Sign = _ => "",
        ["signed by a key that is public"] = p =>
        {
            p.Header["alg"] = "HS256";
            p.Sign = text => Base64Url.EncodeToString(HMACSHA256.HashData(p.PublicKey, Encoding.ASCII.GetBytes(text)));
        },
        ["signed by the client's secret"] = p =>
        {
            p.Header["alg"] = "HS256";
            p.Sign = text =>
                Base64Url.EncodeToString(
                    HMACSHA256.HashData(
                        Encoding.ASCII.GetBytes(OpenIdProvider.ClientSecret),
                        Encoding.ASCII.GetBytes(text)
                    )
                );
        },
        ["signed by another key"] = p =>
        {
            using var other = RSA.Create(2048);
            var key = other.ExportParameters(true);
            p.Sign = text =>
            {
                using var again = RSA.Create(key);
                return Base64Url.EncodeToString(
                    again.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                );
            };
        },
        ["not verified"] = p => p.Person["email_verified"] = false,
        ["said not to be verified, as text"] = p => p.Person["email_verified"] = "false",
        ["not said to be verified"] = p => p.Person.Remove("email_verified"),
        ["without an address"] = p => p.Person.Remove("email"),
        ["with two addresses"] = p => p.Person["email"] = new[] { "ada@example.com", "eve@example.com" },
        ["an address of the token, the word of userinfo"] = p =>
        {
            p.Person.Remove("email_verified");
            p.Userinfo = OpenIdProvider.Ada;
        },
        ["the word of the token, an address of userinfo"] = p =>
        {
            p.Person.Remove("email");
            p.Userinfo = new() { ["sub"] = "1", ["email"] = "ada@example.com" };
        },
        ["userinfo of another"] = p =>
        {
            p.Person.Remove("email");
            p.Userinfo = new()
            {
                ["sub"] = "2",
                ["email"] = "ada@example.com",
                ["email_verified"] = true,
            };
        },
        ["garbage for a token"] = p => p.Answers = http => SayAsync(http, "/token", 200, "<html>"),
        ["a redirect for a token"] = p =>
            p.Answers = http =>
            {
                http.Response.Headers.Location = "http://127.0.0.1:1/";
                return SayAsync(http, "/token", 302, "");
            },
        ["an error for a token"] = p => p.Answers = http => SayAsync(http, "/token", 500, "{}"),
        ["a token without end"] = p =>
            p.Answers = http => SayAsync(http, "/token", 200, new string('x', 2 * 1024 * 1024)),
    };

    public static TheoryData<string> AttackNames => [.. Attacks.Keys];

    private static async Task<bool> SayAsync(
        Microsoft.AspNetCore.Http.HttpContext http,
        string path,
        int status,
        string body
    )
    {
        if (http.Request.Path != path)
            return false;
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(body));
        return true;
    }

    [Theory]
    [MemberData(nameof(AttackNames))]
    public async Task An_answer_that_does_not_hold_is_one_page_and_no_session(string attack)
    {
        Attacks[attack](_provider);
        using var browser = new OidcBrowser(_server);
        var answer = await browser.SignInAsync();
        Assert.Equal(400, answer.Status);
        Assert.Contains("Signing in did not work", answer.Text, StringComparison.Ordinal);
        Assert.Null(SessionOf(browser));
        Assert.DoesNotContain("code=", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("example.com", _server.Log.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Userinfo_names_whom_the_token_does_not()
    {
        _provider.Person = new() { ["sub"] = "1" };
        _provider.Userinfo = OpenIdProvider.Ada;
        using var browser = new OidcBrowser(_server);
        Assert.Equal(200, (await browser.SignInAsync()).Status);
        Assert.NotNull(SessionOf(browser));
    }

    [Fact]
    public async Task A_state_is_good_once_in_the_browser_that_began_it()
    {
        using var browser = new OidcBrowser(_server);
        using var other = new OidcBrowser(_server);
        var back = await browser.BackAsync();
        // Another browser has another cookie, or the one of its own sign-in.
        await other.StartAsync();
        Assert.Equal(400, (await other.GetAsync(back)).Status);
        Assert.Equal(0, _provider.Redeemed);
        foreach (
            var changed in (string[])
                [
                    _server.Url + "/console/oidc/callback",
                    back.Split("&state=")[0],
                    back.Split("&state=")[0] + "&state=x",
                    back + "A",
                    back[..^4],
                    back.Replace("?code=", "?error=access_denied&x=", StringComparison.Ordinal),
                    _server.Url + "/console/oidc/callback?state=" + new string('A', 5000),
                ]
        )
            Assert.Equal(400, (await browser.GetAsync(changed)).Status);
        Assert.Equal(0, _provider.Redeemed);
        Assert.Null(SessionOf(browser));
        Assert.Null(SessionOf(other));
    }

    [Fact]
    public async Task A_recorded_handshake_opens_nothing_a_second_time()
    {
        using var browser = new OidcBrowser(_server);
        var back = await browser.BackAsync();
        var cookies = browser.Cookies.GetCookieHeader(new Uri(back));
        Assert.Equal(200, (await browser.GetAsync(back)).Status);
        Assert.Equal(1, _provider.Redeemed);
        // The same browser, and somebody with a copy of its cookies.
        Assert.Equal(400, (await browser.GetAsync(back)).Status);
        var path = new Uri(back).PathAndQuery;
        Assert.Equal(400, (await _server.SendAsync(HttpMethod.Get, path, null, null, ("Cookie", cookies))).Status);
        Assert.Equal(1, _provider.Redeemed);
    }

    [Fact]
    public async Task A_sign_in_that_takes_longer_than_a_quarter_of_an_hour_is_begun_anew()
    {
        using var browser = new OidcBrowser(_server);
        var back = await browser.BackAsync();
        _server.Clock.Advance(TimeSpan.FromMinutes(16));
        Assert.Equal(400, (await browser.GetAsync(back)).Status);
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/\\evil.example")]
    [InlineData("/console/../evil")]
    [InlineData("/consolé")]
    [InlineData("/elsewhere")]
    [InlineData("/console/oidc/start")]
    [InlineData("javascript:alert(1)")]
    [InlineData("/console\"><script>")]
    public async Task It_leads_to_a_page_of_the_console_and_nowhere_else(string next)
    {
        using var browser = new OidcBrowser(_server);
        var answer = await browser.SignInAsync("?next=" + Uri.EscapeDataString(next));
        Assert.Equal(200, answer.Status);
        Assert.Contains("content=\"0;url=/console\"", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_person_without_a_role_is_not_let_in_and_no_person_can_be_named_like_a_group()
    {
        await using var server = await TestServer.StartAsync(set: options =>
        {
            OidcBrowser.By(_provider)(options);
            options.Console.Oidc.Claim = "preferred_username";
            options.Console.Oidc.GroupsClaim = "groups";
            options.Operators.Roles["group:admins"] = "admin";
        });
        Assert.Equal(403, await SignInAsync("eve"));
        Assert.Equal(403, await SignInAsync("group:admins"));
        Assert.Equal(403, await SignInAsync("eve", "others", "Admins", "group:admins"));
        Assert.Equal(400, await SignInAsync("e\nve"));
        Assert.Equal(200, await SignInAsync("eve", "others", "admins"));
        Assert.Equal(200, await SignInAsync("ada@example.com"));

        async Task<int> SignInAsync(string name, params string[] groups)
        {
            _provider.Person = new()
            {
                ["sub"] = "2",
                ["preferred_username"] = name,
                ["groups"] = groups,
            };
            using var browser = new OidcBrowser(server);
            var start = await browser.StartAsync();
            Assert.Contains("groups", start.Header("Location")!, StringComparison.Ordinal);
            var answer = await browser.SignInAsync();
            Assert.Equal(answer.Status == 200, SessionOf(browser) is not null);
            if (answer.Status == 200)
                Assert.Equal(
                    groups.Contains("admins") ? 200 : 403,
                    (await browser.GetAsync(server.Url + "/console/sessions")).Status
                );
            return answer.Status;
        }
    }

    [Fact]
    public async Task A_proxys_person_is_not_called_as_a_group_either()
    {
        await using var server = await TestServer.StartAsync(set: options =>
        {
            options.Operators.TrustedProxies = ["127.0.0.0/8", "::1/128"];
            options.Operators.Roles["group:admins"] = "admin";
        });
        var answer = await server.SendAsync(
            HttpMethod.Post,
            "/sessions/any/kill",
            null,
            new { },
            ("X-Forwarded-User", "group:admins")
        );
        Assert.Equal(403, answer.Status);
    }

    [Fact]
    public async Task A_provider_that_is_away_slow_or_talks_nonsense_leaves_the_other_ways()
    {
        _provider.Issuer = "https://another.example";
        await AwayAsync(_server);
        await using var answering = await OpenIdProvider.StartAsync();
        foreach (var nonsense in (string[])["", "<html>", "[]", "{}", "{\"issuer\":\"" + answering.Url + "\"}"])
        {
            await using var server = await TestServer.StartAsync(set: OidcBrowser.By(answering));
            answering.Answers = http => SayAsync(http, "/.well-known/openid-configuration", 200, nonsense);
            await AwayAsync(server);
        }
        await using var slow = await TestServer.StartAsync(set: OidcBrowser.By(answering));
        using var released = new CancellationTokenSource();
        answering.Answers = async http =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, released.Token)
                .ContinueWith(_ => { }, TaskScheduler.Default);
            return false;
        };
        await Task.WhenAll(AwayAsync(slow), AwayAsync(slow));
        await released.CancelAsync();
        await using var nobody = await TestServer.StartAsync(set: OidcBrowser.By(answering));
        await answering.DisposeAsync();
        await AwayAsync(nobody);

        static async Task AwayAsync(TestServer server)
        {
            using var browser = new OidcBrowser(server);
            var answer = await browser.StartAsync();
            Assert.Equal(503, answer.Status);
            Assert.Contains("does not answer", answer.Text, StringComparison.Ordinal);
            Assert.Contains("name=\"key\"", answer.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_code_may_look_like_a_token_and_a_key_in_the_address_is_refused()
    {
        using var browser = new OidcBrowser(_server);
        var back = await browser.BackAsync();
        var answer = await browser.GetAsync(back.Replace("?code=", "?code=eyJ", StringComparison.Ordinal));
        Assert.Equal(400, answer.Status);
        Assert.Contains("Signing in did not work", answer.Text, StringComparison.Ordinal);
        Assert.Equal(1, _provider.Redeemed);
        answer = await browser.GetAsync(_server.Url + "/console/oidc/callback?code=" + _server.RootKey);
        Assert.Equal(400, answer.Status);
        Assert.Contains("never travels in a URL", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(_server.RootKey, answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_provider_its_doors_are_404()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var path in (string[])["/console/oidc/start", "/console/oidc/callback?code=a&state=b"])
            Assert.Equal(404, (await server.SendAsync(HttpMethod.Get, path)).Status);
        Assert.DoesNotContain(
            "oidc",
            (await server.SendAsync(HttpMethod.Get, "/console/sign-in")).Text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Behind_TLS_and_under_a_path_its_cookies_and_addresses_are_so()
    {
        await using var server = await TestServer.StartAsync(set: options =>
        {
            OidcBrowser.By(_provider)(options);
            options.PublicUrl = "https://example.com/agents";
            options.Operators.TrustedProxies = ["127.0.0.0/8", "::1/128"];
        });
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        using var plain = await http.SendAsync(Asked(null));
        Assert.Equal(403, (int)plain.StatusCode);
        using var start = await http.SendAsync(Asked("https"));
        Assert.Equal(302, (int)start.StatusCode);
        var there = start.Headers.Location!.ToString();
        Assert.Contains(
            "redirect_uri=" + Uri.EscapeDataString("https://example.com/agents/console/oidc/callback"),
            there,
            StringComparison.Ordinal
        );
        Assert.All(
            start.Headers.GetValues("Set-Cookie"),
            cookie =>
            {
                Assert.Contains("path=/agents/console/oidc", cookie, StringComparison.Ordinal);
                Assert.Contains("secure", cookie, StringComparison.Ordinal);
            }
        );

        HttpRequestMessage Asked(string? scheme)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, server.Url + "/console/oidc/start");
            request.Headers.Add("X-Forwarded-For", "203.0.113.9");
            if (scheme is not null)
                request.Headers.Add("X-Forwarded-Proto", scheme);
            return request;
        }
    }

    [Fact]
    public async Task Unfinished_sign_ins_do_not_fill_the_headers_of_a_browser()
    {
        using var browser = new OidcBrowser(_server);
        for (var i = 0; i < 40; i++)
            Assert.Equal(302, (await browser.StartAsync()).Status);
        Assert.Equal(200, (await browser.SignInAsync()).Status);
    }

    [Fact]
    public async Task Answers_that_do_not_hold_count_among_the_failures_of_their_address()
    {
        await using var server = await TestServer.StartAsync(set: options =>
        {
            OidcBrowser.By(_provider)(options);
            options.RateLimits.FailuresPerMinute = 1;
        });
        using var browser = new OidcBrowser(server);
        var last = 0;
        for (var i = 0; i < 20 && last != 429; i++)
            last = (await browser.GetAsync(server.Url + "/console/oidc/callback?code=x&state=y")).Status;
        Assert.Equal(429, last);
    }
}
