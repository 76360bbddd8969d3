using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Pages;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console over HTTP: signing in and out, forms, refusals and the headers of pages.</summary>
public sealed partial class ConsoleTests : IAsyncLifetime
{
    private const string FormType = "application/x-www-form-urlencoded";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private Task<Answer> SignInAsync(string fields, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "/console/sign-in", fields, headers);

    /// <summary>A client like a browser, but it does not follow redirects.</summary>
    private async Task<Answer> SendAsync(
        HttpMethod method,
        string path,
        string? body = null,
        params (string Name, string Value)[] headers
    )
    {
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false };
        using var http = new HttpClient(handler) { BaseAddress = new Uri(_server.Url) };
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body, new System.Net.Http.Headers.MediaTypeHeaderValue(FormType));
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await http.SendAsync(request);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    private static string CookieOf(Answer answer) => answer.Header("Set-Cookie")!.Split(';')[0].Split('=', 2)[1];

    private async Task<ConsoleCookie> CookieAsync(params string[] scopes) =>
        (await ConsoleCookie.OfAsync(_server, scopes)).Cookie;

    private Task<Answer> OpenAsync(ConsoleCookie cookie, string path) =>
        SendAsync(HttpMethod.Get, path, null, cookie.Headers);

    private Task<Answer> PostAsync(ConsoleCookie cookie, string path, string body) =>
        SendAsync(HttpMethod.Post, path, body, cookie.Headers);

    private async Task<string> RunAsync()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        return (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
    }

    private async Task<string> PhaseAsync(string run) =>
        (await _server.GetAsync("/api/v1/runs/" + run)).String("phase");

    [Fact]
    public async Task A_key_signs_in_and_the_cookie_is_kept_from_scripts_and_other_sites()
    {
        var signed = await SignInAsync("key=" + _server.RootKey + "&next=%2Fconsole%2Fruns%3Fphase%3Dfailed");
        Assert.Equal((303, "/console/runs?phase=failed"), (signed.Status, signed.Header("Location")));
        var cookie = signed.Header("Set-Cookie")!;
        Assert.Contains("; path=/console; samesite=strict; httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secure", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(200, (await OpenAsync(new ConsoleCookie(CookieOf(signed)), "/console/runs")).Status);
        // The database has only its digest.
        Assert.DoesNotContain(CookieOf(signed), await _server.DumpAsync("console_session"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("//evil.example")]
    [InlineData("https://evil.example/console")]
    [InlineData("/console/../api")]
    [InlineData("/console/%2e%2e/api")]
    [InlineData("/console/runs/.%2E/%2e./api")]
    [InlineData("/console\\evil")]
    [InlineData("/consoleevil")]
    [InlineData("/console/runs\r\nSet-Cookie: a=b")]
    public async Task A_sign_in_leads_nowhere_else(string next)
    {
        var signed = await SignInAsync($"key={_server.RootKey}&next={Uri.EscapeDataString(next)}");
        Assert.Equal((303, "/console"), (signed.Status, signed.Header("Location")));
    }

    [Fact]
    public async Task Wrong_revoked_expired_and_malformed_keys_are_refused_alike()
    {
        var (id, revoked) = await _server.NamedKeyAsync("gone", "read:runs");
        await _server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, _server.RootKey);
        var pages = new List<string>();
        foreach (var key in (string[])[revoked, "nonsense", _server.RootKey[..^1] + "~", "", new string('A', 43)])
        {
            var answer = await SignInAsync("key=" + Uri.EscapeDataString(key));
            Assert.Equal(401, answer.Status);
            Assert.Null(answer.Header("Set-Cookie"));
            pages.Add(answer.Text);
        }
        Assert.Single(pages.Distinct(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_link_opens_a_session_once_and_within_its_time()
    {
        var sessions = _server.App.Services.GetRequiredService<ConsoleSessions>();
        var project = await _server.ProjectAsync();
        var (id, _) = await _server.NamedKeyAsync("linked", "read:runs");
        var once = await sessions.LinkAsync(project, id, TimeSpan.FromSeconds(60));
        Assert.DoesNotContain(once, await _server.DumpAsync("console_link"), StringComparison.Ordinal);
        var signed = await SignInAsync("once=" + once);
        Assert.Equal(303, signed.Status);
        var cookie = new ConsoleCookie(CookieOf(signed));
        Assert.Equal(200, (await OpenAsync(cookie, "/console/runs")).Status);
        Assert.Equal(403, (await OpenAsync(cookie, "/console/sessions")).Status);
        Assert.Equal(401, (await SignInAsync("once=" + once)).Status);

        var late = await sessions.LinkAsync(project, id, TimeSpan.FromSeconds(60));
        _server.Clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(401, (await SignInAsync("once=" + late)).Status);
    }

    [Fact]
    public async Task Without_a_session_a_browser_is_led_to_the_sign_in_and_everything_else_gets_401()
    {
        var led = await SendAsync(HttpMethod.Get, "/console/runs?phase=failed", null, ("Sec-Fetch-Mode", "navigate"));
        Assert.Equal(
            (303, "/console/sign-in?next=%2Fconsole%2Fruns%3Fphase%3Dfailed"),
            (led.Status, led.Header("Location"))
        );
        var problem = await SendAsync(HttpMethod.Get, "/console/runs", null, ("Accept", "*/*"));
        Assert.Equal((401, "unauthorized"), (problem.Status, problem.String("code")));
        // A link from another site sends no strict cookie, so the page is requested again from here.
        var again = await SendAsync(
            HttpMethod.Get,
            "/console/runs?agent=%22%3E%3Cscript%3E",
            null,
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Site", "cross-site")
        );
        Assert.Equal(200, again.Status);
        Assert.Contains("http-equiv=\"refresh\"", again.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", again.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_form_that_is_sent_after_the_session_has_ended_leads_to_the_sign_in_and_back_to_its_page()
    {
        foreach (
            var (path, next) in ((string, string)[])
                [
                    ("/runs/run_1/cancel", "/console/runs/run_1"),
                    ("/approvals/apr_1/decide", "/console/approvals/apr_1"),
                    ("/tokens/name", "/console/keys"),
                    ("/settings/sessions/csn_1/end", "/console/settings"),
                    ("/sign-out", "/console"),
                ]
        )
        {
            var sent = await SendAsync(
                HttpMethod.Post,
                "/console" + path,
                "reason=late",
                ("Sec-Fetch-Mode", "navigate")
            );
            Assert.Equal(
                (path, 303, "/console/sign-in?next=" + Uri.EscapeDataString(next)),
                (path, sent.Status, sent.Header("Location"))
            );
        }
        var script = await SendAsync(HttpMethod.Post, "/console/sign-out", "", ("Sec-Fetch-Mode", "cors"));
        Assert.Equal(401, script.Status);
    }

    [Fact]
    public async Task Signing_out_ends_the_session()
    {
        var cookie = await CookieAsync("read:runs");
        Assert.Equal(200, (await OpenAsync(cookie, "/console/runs")).Status);
        Assert.Equal(303, (await PostAsync(cookie, "/console/sign-out", cookie.Form())).Status);
        Assert.Equal(401, (await OpenAsync(cookie, "/console/runs")).Status);
    }

    [Fact]
    public async Task A_credential_has_twenty_sessions_and_the_oldest_ends()
    {
        var (key, first) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var second = await ConsoleCookie.OfAsync(_server, key);
        for (var i = 2; i < ConsoleSessions.MaxPerCredential; i++)
            await ConsoleCookie.OfAsync(_server, key);
        Assert.Equal(200, (await OpenAsync(first, "/console/runs")).Status);
        await ConsoleCookie.OfAsync(_server, key);
        await _server.App.Services.GetRequiredService<AccessWatch>().RefreshAsync();
        Assert.Equal(401, (await OpenAsync(first, "/console/runs")).Status);
        Assert.Equal(200, (await OpenAsync(second, "/console/runs")).Status);
    }

    [Fact]
    public async Task A_session_ends_when_nobody_uses_it_and_at_its_longest_time()
    {
        var cookie = await CookieAsync("read:runs");
        for (var minutes = 0; minutes < 12 * 60; minutes += 59)
        {
            Assert.Equal(200, (await OpenAsync(cookie, "/console/runs")).Status);
            _server.Clock.Advance(TimeSpan.FromMinutes(59));
        }
        Assert.Equal(401, (await OpenAsync(cookie, "/console/runs")).Status);
        var idle = await CookieAsync("read:runs");
        _server.Clock.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal(401, (await OpenAsync(idle, "/console/runs")).Status);
    }

    public static TheoryData<string> Forms()
    {
        var forms = new TheoryData<string>();
        foreach (var line in File.ReadAllLines(Repository.File("doors.txt")))
            if (
                line.StartsWith("POST", StringComparison.Ordinal)
                && line.Contains(" Console ", StringComparison.Ordinal)
            )
                forms.Add(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
        return forms;
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task No_form_is_taken_without_its_sessions_token_or_from_another_page(string path)
    {
        var run = await RunAsync();
        await _server.StartSessionAsync("hello");
        var target = Placeholder().Replace(path.Replace("{run}", run, StringComparison.Ordinal), "hello");
        var (mine, other) = (await CookieAsync("admin"), await CookieAsync("admin"));
        var rows = await _server.CountRowsAsync();
        Assert.Equal(403, (await PostAsync(mine, target, "_once=0123456789abcdef")).Status);
        Assert.Equal(403, (await PostAsync(mine, target, other.Form())).Status);
        foreach (
            var (name, value) in ((string, string)[])
                [
                    ("Origin", "https://evil.example"),
                    ("Origin", "null"),
                    ("Sec-Fetch-Site", "cross-site"),
                    ("Sec-Fetch-Site", "same-site"),
                ]
        )
        {
            var foreign = await SendAsync(HttpMethod.Post, target, mine.Form(), [.. mine.Headers, (name, value)]);
            Assert.True(foreign.Status == 403, $"{path} with {name}: {value}: {foreign.Status}");
        }
        Assert.Equal(400, (await PostAsync(mine, target, mine.Form("surprise=1"))).Status);
        Assert.Equal(400, (await PostAsync(mine, target, mine.Form("_csrf=" + mine.FormToken))).Status);
        Assert.Equal(413, (await PostAsync(mine, target, mine.Form("reason=" + new string('x', 300_000)))).Status);
        Assert.Equal(rows, await _server.CountRowsAsync());
        Assert.Equal("queued", await PhaseAsync(run));
    }

    [GeneratedRegex(@"\{\w+\}", RegexOptions.None, 1000)]
    private static partial Regex Placeholder();

    [Fact]
    public async Task A_run_is_cancelled_once_however_often_its_form_is_sent()
    {
        var (run, cookie) = (await RunAsync(), await CookieAsync("read:runs", "write:runs"));
        Assert.Contains(run, (await OpenAsync(cookie, $"/console/runs/{run}/cancel")).Text, StringComparison.Ordinal);
        var form = cookie.Form("reason=Not+needed.");
        for (var i = 0; i < 2; i++)
        {
            var answer = await PostAsync(cookie, $"/console/runs/{run}/cancel", form);
            Assert.Equal((303, $"/console/runs/{run}"), (answer.Status, answer.Header("Location")));
        }
        var ended = await _server.GetAsync("/api/v1/runs/" + run);
        Assert.Equal(("cancelled", "Not needed."), (ended.String("phase"), ended.String("reason")));
        // Something that has changed meanwhile is shown as it is now.
        foreach (var late in (string[])["pause", "cancel"])
        {
            var refused = await PostAsync(cookie, $"/console/runs/{run}/{late}", cookie.Form());
            Assert.Equal((late, 409), (late, refused.Status));
            Assert.Contains("cancelled", refused.Text, StringComparison.Ordinal);
        }
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/audit?limit=200"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Any(a =>
                    a.GetProperty("action").GetString() == "run.cancel"
                    && a.GetProperty("credential").GetString() == "console"
                )
        );
    }

    [Fact]
    public async Task A_forbidden_action_is_not_drawn_and_its_refusal_names_the_scope()
    {
        var (run, reader) = (await RunAsync(), await CookieAsync("read:runs"));
        var page = await OpenAsync(reader, "/console/runs/" + run);
        Assert.Equal(200, page.Status);
        Assert.DoesNotContain("/cancel", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("/console/sessions", page.Text, StringComparison.Ordinal);
        var refused = await PostAsync(reader, $"/console/runs/{run}/cancel", reader.Form());
        Assert.Equal(403, refused.Status);
        Assert.Contains($"write:runs:{run}", refused.Text, StringComparison.Ordinal);
        Assert.Contains("read:sessions", (await OpenAsync(reader, "/console/sessions")).Text, StringComparison.Ordinal);
        var one = await CookieAsync("read:runs:" + run);
        Assert.Equal(200, (await OpenAsync(one, "/console/runs/" + run)).Status);
        Assert.Equal(403, (await OpenAsync(one, "/console/runs")).Status);
    }

    [Fact]
    public async Task A_missing_thing_and_a_foreign_one_get_the_same_page()
    {
        var (run, stranger) = (await RunAsync(), await CookieAsync("read:sessions"));
        var admin = await CookieAsync("admin");
        string[] pages =
        [
            (await OpenAsync(stranger, "/console/runs/" + run)).Text,
            (await OpenAsync(admin, "/console/runs/run_none")).Text,
            (await OpenAsync(admin, "/console/nothing")).Text,
            (await SendAsync(HttpMethod.Get, "/console/nothing/at/all")).Text,
        ];
        Assert.Single(pages.Distinct(StringComparer.Ordinal));
        var other = await SendAsync(HttpMethod.Delete, "/console/runs/" + run);
        Assert.Equal((405, "GET"), (other.Status, other.Header("Allow")));
    }

    [Theory]
    [InlineData("/console/runs?phase=nonsense", "phase")]
    [InlineData("/console/runs?created=yesterday", "created")]
    [InlineData("/console/runs?agent=a&agent=b", "agent")]
    [InlineData("/console/runs?surprise=1", "surprise")]
    [InlineData("/console/runs?cursor=~", "cursor")]
    [InlineData("/console/runs?size=many", "size")]
    [InlineData("/console/runs?agent=%00", "agent")]
    [InlineData("/console/runs?agent=%EF%BF%BD", "agent")]
    [InlineData("/console/sessions?status=OPEN", "status")]
    [InlineData("/console/sessions?from=then", "from")]
    public async Task A_filter_that_cannot_be_read_is_named_and_kept(string path, string name)
    {
        var answer = await OpenAsync(await CookieAsync("admin"), path);
        Assert.Equal(400, answer.Status);
        Assert.Contains(name, answer.Text, StringComparison.Ordinal);
        Assert.Contains($"name=\"{name}\"", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_page_has_the_one_policy_and_its_files_are_kept_for_ever()
    {
        var page = await OpenAsync(await CookieAsync("admin"), "/console");
        Assert.Equal(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
                + "trusted-types postern",
            page.Header("Content-Security-Policy")
        );
        Assert.Equal(
            ("nosniff", "no-referrer", "same-origin", "same-origin", "no-store"),
            (
                page.Header("X-Content-Type-Options"),
                page.Header("Referrer-Policy"),
                page.Header("Cross-Origin-Opener-Policy"),
                page.Header("Cross-Origin-Resource-Policy"),
                page.Header("Cache-Control")
            )
        );
        Assert.DoesNotMatch("<style|style=|<script>| on[a-z]+=", page.Text);
        var files = Regex.Matches(page.Text, "/console/assets/[^\"#]+").Select(m => m.Value).Distinct().ToList();
        Assert.True(files.Count >= 4, "the files were found");
        foreach (var file in files)
        {
            var answer = await SendAsync(HttpMethod.Get, file, null, ("Accept-Encoding", "br"));
            Assert.Equal((200, "br"), (answer.Status, answer.Header("Content-Encoding")));
            Assert.Contains("immutable", answer.Header("Cache-Control"), StringComparison.Ordinal);
        }
        Assert.Equal(404, (await SendAsync(HttpMethod.Get, "/console/assets/0000000000000000/console.js")).Status);
        Assert.Equal(404, (await SendAsync(HttpMethod.Get, $"/console/assets/{Assets.Digest}/none.js")).Status);
    }

    [Fact]
    public async Task A_session_has_a_rate_of_its_own()
    {
        var cookie = await CookieAsync("read:runs");
        var answers = await Task.WhenAll(Enumerable.Range(0, 130).Select(_ => OpenAsync(cookie, "/console")));
        var slower = answers.First(a => a.Status == 429);
        Assert.NotNull(slower.Header("Retry-After"));
        Assert.Contains("Too many requests", slower.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await OpenAsync(await CookieAsync("read:runs"), "/console")).Status);
    }
}
