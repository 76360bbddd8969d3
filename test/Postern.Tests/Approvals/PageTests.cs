using System.Net;
using System.Text;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>
/// The page for a person, over plain HTTP: what it shows and escapes, what it allows, and that opening it decides
/// nothing. The acceptance tests try it in a browser.
/// </summary>
public sealed class PageTests : ApprovalTest
{
    private async Task<(string Run, string Path, string Request)> LinkAsync(object? body = null)
    {
        var (run, token, _) = await _asking.RunningAsync();
        var asked = await _asking.AskAsync(run, token, body);
        return (run, await _asking.LinkAsync(asked.String("approval_request_id")), asked.String("approval_request_id"));
    }

    private Task<Answer> OpenAsync(string path) => _server.SendAsync(HttpMethod.Get, path);

    private Task<Answer> PressAsync(string path, string form, string type = "application/x-www-form-urlencoded") =>
        _server.SendAsync(HttpMethod.Post, path, null, Encoding.UTF8.GetBytes(form), ("Content-Type", type));

    [Fact]
    public async Task Opening_it_decides_nothing_and_it_allows_no_script()
    {
        var (run, path, _) = await LinkAsync(
            new
            {
                title = "Deploy?",
                description = "To production.",
                payload = new { version = 7 },
            }
        );
        for (var i = 0; i < 3; i++)
        {
            var page = await OpenAsync(path);
            Assert.Equal((200, "text/html; charset=utf-8"), (page.Status, page.Header("Content-Type")));
            Assert.Contains("Deploy?", page.Text, StringComparison.Ordinal);
            Assert.Contains("To production.", page.Text, StringComparison.Ordinal);
            Assert.Contains("&quot;version&quot;: 7", page.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("<script", page.Text, StringComparison.OrdinalIgnoreCase);
            var policy = page.Header("Content-Security-Policy")!;
            Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("script", policy, StringComparison.Ordinal);
            Assert.Equal(
                ("no-store", "no-referrer", "DENY", "nosniff"),
                (
                    page.Header("Cache-Control"),
                    page.Header("Referrer-Policy"),
                    page.Header("X-Frame-Options"),
                    page.Header("X-Content-Type-Options")
                )
            );
        }
        Assert.Equal(405, (await _server.SendAsync(HttpMethod.Put, path)).Status);
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("<script>alert(1)</script>")]
    [InlineData("</title><script>alert(1)</script>")]
    [InlineData("</textarea></pre></style><img src=x onerror=alert(1)>")]
    [InlineData("\" onmouseover=\"alert(1)")]
    [InlineData("{{constructor.constructor('alert(1)')()}}<svg/onload=alert(1)>")]
    public async Task An_agents_words_are_text_wherever_they_stand(string evil)
    {
        var (_, path, request) = await LinkAsync(
            new
            {
                title = evil,
                description = evil,
                payload = new Dictionary<string, object> { [evil] = evil },
                options = new[] { evil },
            }
        );
        var page = (await OpenAsync(path)).Text;
        await _asking.DecideAsync(request, "rejected", evil);
        var after = (await OpenAsync(path)).Text;
        foreach (var html in new[] { page, after })
        {
            foreach (var markup in (string[])["<script", "<img", "<svg", "onmouseover=\"alert"])
                Assert.DoesNotContain(markup, html, StringComparison.OrdinalIgnoreCase);
            Assert.Contains(WebUtility.HtmlEncode("alert(1)"), html, StringComparison.Ordinal);
            Assert.Single(System.Text.RegularExpressions.Regex.Matches(html, "</title>"));
        }
    }

    [Fact]
    public async Task Hiding_and_turning_characters_are_shown_as_codes()
    {
        var (_, path, _) = await LinkAsync(
            new { title = "Pay \u202e001\u202c now", payload = new { to = "ada\u200b\u2066x\ud83c\udf0d\udb40\udc41" } }
        );
        var page = WebUtility.HtmlDecode((await OpenAsync(path)).Text);
        foreach (var hidden in (string[])["\u202e", "\u202c", "\u200b", "\u2066", "\udb40"])
            Assert.DoesNotContain(hidden, page, StringComparison.Ordinal);
        Assert.Contains("Pay \\u{202e}001\\u{202c} now", page, StringComparison.Ordinal);
        Assert.Contains("\\uD83C\\uDF0D\\uDB40\\uDC41", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("approved", "approved", "Approved on this page.", "running")]
    [InlineData("rejected", "rejected", "Rejected on this page.", "cancelled")]
    [InlineData("request_changes", "request_changes", "Changes were requested on this page.", "running")]
    public async Task A_button_decides_once_and_the_page_shows_it_afterwards(
        string button,
        string decision,
        string words,
        string status
    )
    {
        var (run, path, _) = await LinkAsync(
            new
            {
                title = "Deploy?",
                payload = "the plan",
                description = "what it is",
            }
        );
        var pressed = await NoRedirectAsync(path, $"decision={button}&comment=not+today%0D%0Abut+soon");
        Assert.Equal((303, path), (pressed.Status, pressed.Header("Location")));
        var kept = await _asking.StatusAsync(run);
        Assert.Equal(
            (decision, "not today\nbut soon", "link"),
            (
                kept.GetProperty("status").GetString(),
                kept.GetProperty("feedback").GetString(),
                kept.GetProperty("decided_by").GetString()
            )
        );
        Assert.Equal(status, (await _asking.RunAsync(run)).GetProperty("status").GetString());
        var after = await OpenAsync(path);
        Assert.Contains(words, after.Text, StringComparison.Ordinal);
        Assert.Contains("not today", after.Text, StringComparison.Ordinal);
        // The link is used up: it shows the outcome, but no form and no content.
        foreach (var gone in (string[])["<form", "the plan", "what it is"])
            Assert.DoesNotContain(gone, after.Text, StringComparison.Ordinal);
        Assert.Equal(303, (await NoRedirectAsync(path, "decision=" + button)).Status);
        var other = await PressAsync(path, "decision=" + (button == "approved" ? "rejected" : "approved"));
        Assert.Equal(409, other.Status);
        Assert.Contains("Your answer was not taken", other.Text, StringComparison.Ordinal);
        Assert.Equal(decision, (await _asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    private async Task<Answer> NoRedirectAsync(string path, string form)
    {
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
        {
            BaseAddress = new Uri(_server.Url),
        };
        using var answer = await http.PostAsync(
            path,
            new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded")
        );
        return new Answer(answer, await answer.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_choice_comes_back_as_the_response()
    {
        var (run, path, _) = await LinkAsync(
            new { title = "Which?", options = new object[] { "eu", new { id = "us", label = "United States" } } }
        );
        Assert.Contains("United States", (await OpenAsync(path)).Text, StringComparison.Ordinal);
        Assert.Equal(400, (await PressAsync(path, "decision=approved&option=2")).Status);
        Assert.Equal(400, (await PressAsync(path, "decision=approved&option=us")).Status);
        await PressAsync(path, "decision=approved&option=1");
        Assert.Equal("{\"option\":\"us\"}", (await _asking.StatusAsync(run)).GetProperty("response").GetRawText());
    }

    [Theory]
    [InlineData("", "application/x-www-form-urlencoded")]
    [InlineData("comment=hello", "application/x-www-form-urlencoded")]
    [InlineData("decision=", "application/x-www-form-urlencoded")]
    [InlineData("decision=Approved", "application/x-www-form-urlencoded")]
    [InlineData("decision=expired", "application/x-www-form-urlencoded")]
    [InlineData("decision=approved&decision=rejected", "application/x-www-form-urlencoded")]
    [InlineData("decision=approved&comment=%00", "application/x-www-form-urlencoded")]
    [InlineData("{\"decision\":\"approved\"}", "application/json")]
    [InlineData("decision=approved", "text/plain")]
    [InlineData("LONG", "application/x-www-form-urlencoded")]
    public async Task A_form_at_fault_is_shown_again_and_decides_nothing(string form, string type)
    {
        var (run, path, _) = await LinkAsync();
        var again = await PressAsync(
            path,
            form == "LONG" ? "decision=approved&comment=" + new string('x', 5000) : form,
            type
        );
        Assert.True(
            again.Status == 400
                && again.Text.Contains("role=\"alert\"", StringComparison.Ordinal)
                && again.Text.Contains("<form", StringComparison.Ordinal),
            again.ToString()
        );
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task An_invalid_link_opens_nothing_and_says_so()
    {
        var (_, path, request) = await LinkAsync();
        foreach (
            var wrong in new[]
            {
                path[..^1],
                path + "A",
                path[..^1] + (path[^1] == 'A' ? 'E' : 'A'),
                "/approvals/" + request,
                "/approvals/" + new string('x', 43),
                "/approvals/" + _server.RootKey,
            }
        )
        {
            var page = await OpenAsync(wrong);
            Assert.True(
                page.Status == 401 && page.Text.Contains("This link opens nothing", StringComparison.Ordinal),
                $"{wrong}: {page}"
            );
            Assert.NotNull(page.Header("WWW-Authenticate"));
            Assert.Equal(401, (await PressAsync(wrong, "decision=approved")).Status);
        }
        // A question of another service has no page here.
        var (run, token, _) = await _asking.RunningAsync();
        Assert.Equal(
            System.Text.Json.JsonValueKind.Null,
            (await _asking.AskAsync(run, token, new { approval_request_id = "theirs" }))
                .Json.GetProperty("approval_request_url")
                .ValueKind
        );
    }

    [Fact]
    public async Task An_expired_link_says_so_and_takes_nothing()
    {
        var (run, path, _) = await LinkAsync(new { title = "Too late", expires_in_hours = 1 });
        _server.Clock.Advance(TimeSpan.FromHours(1));
        Assert.Contains("it expired", (await OpenAsync(path)).Text, StringComparison.Ordinal);
        var late = await PressAsync(path, "decision=approved");
        Assert.Equal(410, late.Status);
        Assert.Equal("expired", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
        var (other, otherPath, _) = await LinkAsync();
        await _server.PostAsync($"/api/v1/runs/{other}/cancel", null);
        Assert.Contains("ended before anybody answered", (await OpenAsync(otherPath)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrong_links_from_one_address_are_slowed_down_and_a_right_one_is_not()
    {
        await using var server = await TestServer.StartAsync(set: o => o.RateLimits.FailuresPerMinute = 1);
        var asking = await Asking.PrepareAsync(server);
        var (run, token, _) = await asking.RunningAsync();
        var path = await asking.LinkAsync((await asking.AskAsync(run, token)).String("approval_request_id"));
        var answers = new List<Answer>();
        for (var i = 0; i < 30; i++)
            answers.Add(await server.SendAsync(HttpMethod.Get, "/approvals/" + new string('x', 43)));
        var slowed = answers.First(a => a.Status == 429);
        Assert.Contains("Try again later", slowed.Text, StringComparison.Ordinal);
        Assert.NotNull(slowed.Header("Retry-After"));
        Assert.Equal(200, (await server.SendAsync(HttpMethod.Get, path)).Status);
    }
}
