using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console when it is off, under a path, behind a proxy, and beyond loopback.</summary>
public sealed class ConsoleSettingsTests
{
    private const string FormType = "application/x-www-form-urlencoded";

    private static Task<Answer> SignInAsync(TestServer server, string body, params (string, string)[] headers) =>
        server.SendAsync(HttpMethod.Post, "/console/sign-in", null, body, [.. headers, ("Content-Type", FormType)]);

    [Fact]
    public async Task Off_every_path_is_404()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Console.Enabled = false);
        foreach (var path in (string[])["/console", "/console/sign-in", "/console/runs", "/console/assets/x/y"])
            Assert.Equal((404, "not_found"), await StatusAsync(server, path));

        static async Task<(int, string)> StatusAsync(TestServer server, string path)
        {
            var answer = await server.SendAsync(HttpMethod.Get, path);
            return (answer.Status, answer.String("code"));
        }
    }

    [Fact]
    public async Task Under_a_path_every_link_form_and_file_carries_it()
    {
        await using var server = await TestServer.StartAsync(set: o => o.PublicUrl = "https://example.com/agents");
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "admin");
        foreach (var path in (string[])["/console", "/console/runs", "/console/sessions", "/console/sign-in"])
        {
            var page = await server.SendAsync(HttpMethod.Get, path, null, null, cookie.Headers);
            Assert.Equal(200, page.Status);
            Assert.DoesNotMatch("(href|src|action)=\"/(?!agents/)", page.Text);
            Assert.Contains("href=\"/agents/console", page.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Beyond_loopback_a_key_is_taken_over_TLS_alone()
    {
        await using var server = await TestServer.StartAsync(set: o =>
            o.Operators.TrustedProxies = ["127.0.0.0/8", "::1/128"]
        );
        var body = "key=" + server.RootKey;
        var plain = await SignInAsync(server, body, ("X-Forwarded-For", "203.0.113.9"));
        Assert.Equal(403, plain.Status);
        Assert.Contains("X-Forwarded-Proto", plain.Text, StringComparison.Ordinal);
        var tls = await SignInAsync(
            server,
            "key=wrong",
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-Proto", "https")
        );
        Assert.Equal(401, tls.Status);
    }

    [Fact]
    public async Task A_proxys_person_goes_on_and_another_ends_the_session()
    {
        await using var server = await TestServer.StartAsync(set: o =>
        {
            o.Operators.TrustedProxies = ["127.0.0.0/8", "::1/128"];
            o.Operators.Roles["ada"] = "read:runs";
        });
        var page = await server.SendAsync(HttpMethod.Get, "/console/sign-in", null, null, ("X-Forwarded-User", "ada"));
        Assert.Contains("Go on as ada", page.Text, StringComparison.Ordinal);
        Assert.Equal(401, (await SignInAsync(server, "identity=ada")).Status);
        Assert.Equal(401, (await SignInAsync(server, "identity=ada", ("X-Forwarded-User", "eve"))).Status);
        using var browser = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        using var request = new HttpRequestMessage(HttpMethod.Post, server.Url + "/console/sign-in")
        {
            Content = new StringContent("identity=ada", new System.Net.Http.Headers.MediaTypeHeaderValue(FormType)),
        };
        request.Headers.Add("X-Forwarded-User", "ada");
        using var signed = await browser.SendAsync(request);
        var cookie = signed.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        Assert.Equal(200, await OpenAsync("/console/runs", "ada"));
        Assert.Equal(403, await OpenAsync("/console/sessions", "ada"));
        Assert.Equal(401, await OpenAsync("/console/runs", "eve"));
        // A request with another identity has ended it for both.
        Assert.Equal(401, await OpenAsync("/console/runs", "ada"));

        async Task<int> OpenAsync(string path, string identity) =>
            (
                await server.SendAsync(
                    HttpMethod.Get,
                    path,
                    null,
                    null,
                    ("Cookie", cookie),
                    ("X-Forwarded-User", identity)
                )
            ).Status;
    }
}
