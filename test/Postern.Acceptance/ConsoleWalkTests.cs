using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// What an operator does when something is wrong, in a real browser: from the overview in at most three clicks to the
/// cause and to the correction.
/// </summary>
public sealed class ConsoleWalkTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private ConsoleBrowser _browser = null!;
    private IPage _page = null!;
    private int _clicks;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _browser = await ConsoleBrowser.StartAsync(_server);
        _page = await _browser.SignedInAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _server.DisposeAsync();
    }

    private async Task BeginAsync()
    {
        await _page.GotoAsync(_server.Url + "/console");
        _clicks = 0;
    }

    /// <summary>Clicks the only element with this text, and waits for its page.</summary>
    private async Task ClickAsync(ILocator what)
    {
        Assert.True(++_clicks <= 3, "more than three clicks");
        var from = _page.Url;
        await what.ClickAsync();
        await _page.LoadedAsync();
        Assert.True(_page.Url != from || await _page.Locator("h1").IsVisibleAsync());
    }

    private Task<string> SaidAsync() => _page.Locator("main").InnerTextAsync();

    /// <summary>From <em>Stuck</em> to the page of what a trigger captured.</summary>
    private async Task OpenStuckAsync(string trigger, string row = "")
    {
        await BeginAsync();
        await ClickAsync(_page.Locator("a.tile", new PageLocatorOptions { HasText = "Stuck" }));
        Assert.EndsWith("/console/runs?stuck=true", _page.Url, StringComparison.Ordinal);
        var rows = _page.Locator("#stuck tbody tr", new PageLocatorOptions { HasText = "user/w/" + trigger });
        await ClickAsync(rows.Filter(new LocatorFilterOptions { HasText = row }).Locator("td:first-child a"));
    }

    [Fact]
    public async Task My_webhook_is_stuck_in_progress()
    {
        await using var scene = await StuckScene.MakeAsync(_server);

        await OpenStuckAsync("busy");
        var said = await _page.Locator("#why").InnerTextAsync();
        Assert.Contains("busy answered 503 \"the model is loading now\"; tried", said, StringComparison.Ordinal);
        Assert.Contains("The next try is", said, StringComparison.Ordinal);
        Assert.Contains("Since ", said, StringComparison.Ordinal);
        var calls = scene.Busy.Taken.Count;
        await ClickAsync(_page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Retry the dispatch" }));
        await scene.Busy.NextAsync(calls + 1);

        await OpenStuckAsync("silent");
        said = await _page.Locator("#why").InnerTextAsync();
        Assert.Contains("silent has the run (attempt 1); it was last heard of at", said, StringComparison.Ordinal);
        Assert.Contains("It ends in", said, StringComparison.Ordinal);
        await ClickAsync(_page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Cancel", Exact = true }));
        Assert.Contains("This cannot be undone.", await SaidAsync(), StringComparison.Ordinal);

        await OpenStuckAsync("asks");
        said = await _page.Locator("#why").InnerTextAsync();
        Assert.Contains("Drop the table orders", said, StringComparison.Ordinal);
        Assert.Contains("The question expires in", said, StringComparison.Ordinal);
        await ClickAsync(_page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Open the question" }));
        Assert.Contains("/console/approvals/apr_", _page.Url, StringComparison.Ordinal);

        await OpenStuckAsync("nobody");
        said = await _page.Locator("#why").InnerTextAsync();
        Assert.Contains("No worker of nobody has ever asked for work.", said, StringComparison.Ordinal);
        await ClickAsync(_page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Cancel", Exact = true }));

        await OpenStuckAsync("slow", "It waits for");
        said = await _page.Locator("#why").InnerTextAsync();
        Assert.Contains(scene.Of["slow"].Run, said, StringComparison.Ordinal);
        await ClickAsync(_page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Open the other run" }));
        Assert.EndsWith("/console/runs/" + scene.Of["slow"].Run, _page.Url, StringComparison.Ordinal);

        // A wrong key does not make a run stuck: the run failed, and says why.
        await _page.GotoAsync(_server.Url + "/console/runs?stuck=true");
        Assert.DoesNotContain("user/w/wrong", await SaidAsync(), StringComparison.Ordinal);
        await _page.GotoAsync(_server.Url + "/console/captures/" + scene.Of["wrong"].Capture);
        said = await SaidAsync();
        Assert.Contains("401", said, StringComparison.Ordinal);
        Assert.Contains("that key is <b>wrong</b>", said, StringComparison.Ordinal);
        await _browser.CheckAsync(("", null), ("/runs?stuck=true", "stuck"));
    }

    [Fact]
    public async Task The_provider_says_that_we_answer_401()
    {
        const string secret = "a secret of the sender, long enough";
        var auth = new { scheme = "stripe", secret };
        var put = new
        {
            agent = "echo",
            promptTemplate = "{{body}}",
            webhookAuth = auth,
        };
        Assert.Equal(201, (await _server.PostAsync("/api/triggers/user/w/invoices", put)).Status);
        const string path = "/api/triggers/user/w/invoices";
        var changed = new { webhookAuth = new { scheme = "stripe", secret = "the next secret of the sender" } };
        var patched = await _server.SendAsync(HttpMethod.Put, path, _server.RootKey, changed);
        Assert.Equal(200, patched.Status);
        // The sender goes on signing with the replaced secret, and once sends an old message again.
        foreach (var (by, ago) in ((string, long)[])[(secret, 0), (secret, 0), ("the next secret of the sender", 412)])
        {
            var seconds = (_server.Database.Now / 1_000_000) - ago;
            var header = ("Stripe-Signature", $"t={seconds},v1={Asking.Hex(by, $"{seconds}.{{}}")}");
            var refused = await _server.SendAsync(HttpMethod.Post, "/inbound/user/w/invoices", null, "{}", header);
            Assert.Equal(401, refused.Status);
        }
        await BeginAsync();
        await ClickAsync(_page.Locator("aside a[data-path='/triggers']"));
        await ClickAsync(_page.Locator("#triggers a", new PageLocatorOptions { HasText = "user/w/invoices" }));
        var told = await SaidAsync();
        Assert.Contains("signed with a secret that was replaced", told, StringComparison.Ordinal);
        Assert.Matches("signed 41[2-9] s ago", told);
        Assert.Contains("The secret was changed", told, StringComparison.Ordinal);
        await ClickAsync(
            _page.GetByRole(
                AriaRole.Button,
                new PageGetByRoleOptions { Name = "Send an example, rightly signed", Exact = true }
            )
        );
        var sent = await _page.Locator("#sent").InnerTextAsync();
        Assert.Contains("200 Accepted.", sent, StringComparison.Ordinal);
        var capture = await _page.Locator("#sent a").First.GetAttributeAsync("href");
        Assert.StartsWith("/console/captures/", capture, StringComparison.Ordinal);
        Assert.DoesNotContain("secret of the sender", await _page.ContentAsync(), StringComparison.Ordinal);
        await _browser.CheckAsync(("/triggers/user/w/invoices", "refused"));
    }
}
