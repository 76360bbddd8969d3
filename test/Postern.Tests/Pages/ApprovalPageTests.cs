using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console's approvals: who sees the buttons, who decides, and who is refused.</summary>
public sealed class ApprovalPageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Asking _asking = null!;
    private string _run = "";
    private string _question = "";

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _asking = await Asking.PrepareAsync(_server);
        (_run, _, _) = await _asking.WaitingAsync(
            new
            {
                title = "Drop the table <b>orders</b>?",
                options = new[] { "now", "tonight" },
                payload = new { sql = "DROP TABLE orders" },
            }
        );
        _question = (await _server.GetAsync("/api/v1/runs/" + _run)).String("approvalRequestId");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private string Path => "/console/approvals/" + _question;

    private Task<Answer> SendAsync(ConsoleCookie cookie, HttpMethod method, string path, string? form = null) =>
        _server.ConsoleAsync(cookie, method, path, form);

    private async Task<ConsoleCookie> CookieAsync(params string[] scopes) =>
        (await ConsoleCookie.OfAsync(_server, scopes)).Cookie;

    /// <summary>Sends the form of the page as a browser would, with a button pressed.</summary>
    private async Task<string> FormAsync(ConsoleCookie cookie, string pressed) =>
        ConsoleCalls.FormOf(await SendAsync(cookie, HttpMethod.Get, Path), "/decide", pressed);

    [Fact]
    public async Task A_person_with_the_right_by_name_decides_with_a_choice_and_a_comment()
    {
        var cookie = await CookieAsync("read:approvals", "write:approvals");
        var list = (await SendAsync(cookie, HttpMethod.Get, "/console/approvals")).Text;
        Assert.Contains(_question, list, StringComparison.Ordinal);
        var page = (await SendAsync(cookie, HttpMethod.Get, Path)).Text;
        Assert.Contains("Drop the table &lt;b&gt;orders&lt;/b&gt;?", page, StringComparison.Ordinal);
        Assert.Contains("/approvals/", page, StringComparison.Ordinal);
        var form = await FormAsync(cookie, "decision=approved&comment=go+ahead&option=1");
        var sent = await SendAsync(cookie, HttpMethod.Post, Path + "/decide", form);
        Assert.Equal((303, Path), (sent.Status, sent.Header("Location")));
        // The same form again changes nothing and leads to the same page.
        Assert.Equal(303, (await SendAsync(cookie, HttpMethod.Post, Path + "/decide", form)).Status);
        var decided = (await _server.GetAsync("/api/v1/approvals/" + _question)).Json;
        Assert.Equal("approved", decided.GetProperty("status").GetString());
        Assert.Equal("go ahead", decided.GetProperty("feedback").GetString());
        Assert.Equal("tonight", decided.GetProperty("response").GetProperty("option").GetString());
        Assert.Equal("running", (await _server.GetAsync("/api/v1/runs/" + _run)).String("phase"));
        var audit = (await _server.GetAsync("/api/v1/audit?action=approval.decided")).Json.GetProperty("data")[0];
        Assert.Equal("console", audit.GetProperty("credential").GetString());
        // The page shows the outcome, and no buttons.
        page = (await SendAsync(cookie, HttpMethod.Get, Path)).Text;
        Assert.DoesNotContain("/decide", page, StringComparison.Ordinal);
        Assert.Contains("go ahead", page, StringComparison.Ordinal);
        // Another answer comes too late.
        form = form.Replace("approved", "rejected", StringComparison.Ordinal);
        form = Regex.Replace(form, "_once=[^&]+", "_once=another-form-of-this-page");
        Assert.Equal(409, (await SendAsync(cookie, HttpMethod.Post, Path + "/decide", form)).Status);
    }

    [Theory]
    [InlineData("decision=expired", "decision")]
    [InlineData("decision=", "decision")]
    [InlineData("decision=approved&option=2", "option")]
    [InlineData("decision=approved&option=now", "option")]
    [InlineData("decision=approved&other=1", "other")]
    [InlineData("decision=approved&decision=rejected", "decision")]
    public async Task A_choice_that_the_page_does_not_offer_is_refused_by_name(string pressed, string named)
    {
        var cookie = await CookieAsync("read:approvals", "write:approvals");
        var answer = await SendAsync(cookie, HttpMethod.Post, Path + "/decide", await FormAsync(cookie, pressed));
        Assert.Equal(400, answer.Status);
        Assert.Contains(named, answer.Text, StringComparison.Ordinal);
        Assert.Equal("pending", (await _server.GetAsync("/api/v1/approvals/" + _question)).String("status"));
    }

    [Fact]
    public async Task A_right_that_is_only_implied_shows_no_buttons_and_decides_nothing()
    {
        var admin = await CookieAsync();
        var page = await SendAsync(admin, HttpMethod.Get, Path);
        Assert.DoesNotContain("/decide", page.Text, StringComparison.Ordinal);
        Assert.Contains("postern keys create ada", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain($"{_server.Url}/approvals/", page.Text, StringComparison.Ordinal);
        var form = $"_csrf={Uri.EscapeDataString(ConsoleCalls.CsrfOf(page))}&_once=0123456789abcdef&decision=approved";
        Assert.Equal(403, (await SendAsync(admin, HttpMethod.Post, Path + "/decide", form)).Status);

        // A reader of another question only sees none.
        var other = await CookieAsync("read:approvals:apr_other");
        Assert.Equal(404, (await SendAsync(other, HttpMethod.Get, Path)).Status);
        Assert.Equal("pending", (await _server.GetAsync("/api/v1/approvals/" + _question)).String("status"));
    }
}
