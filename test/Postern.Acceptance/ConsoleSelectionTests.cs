using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>Rows of a list that a person selects, in a real browser, with scripts and without.</summary>
public sealed class ConsoleSelectionTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private ConsoleBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _browser = await ConsoleBrowser.StartAsync(_server);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Keys_select_rows_live_changes_leave_them_selected_and_only_they_are_touched()
    {
        foreach (var name in (string[])["oldest", "middle", "newest"])
            await _server.StartSessionAsync(name);
        var page = await _browser.SignedInAsync();
        await page.GotoAsync(_server.Url + "/console/sessions");
        var close = page.Locator("#chosen").GetByRole(AriaRole.Button, new() { Name = "Close" });
        await Assertions.Expect(close).ToBeHiddenAsync();
        await page.KeysAsync("j", "x", "j", "j", "x");
        await Assertions.Expect(close).ToBeVisibleAsync();
        await page.EvaluateAsync("document.activeElement.blur()");
        // A selected row that changes is put anew, and stays selected.
        await _server.SayAsync("newest", "Hello, door.");
        var newest = page.Locator("#sessions tbody tr", new() { HasText = "newest" });
        await Assertions
            .Expect(newest.Locator("[data-name=messages]"))
            .ToHaveTextAsync("2", new() { Timeout = 15_000 });
        await Assertions.Expect(newest.Locator(".pick")).ToBeCheckedAsync();
        await close.ClickAsync();
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("Close 2 sessions");
        await page.GetByRole(AriaRole.Button, new() { Name = "Close them" }).ClickAsync();
        await page.ArrivesAsync("*/console/bulk/bulk_*");
        await Assertions.Expect(page.Locator("#done")).ToHaveTextAsync("2", new() { Timeout = 15_000 });
        Assert.Contains("2 rows of a list", await page.InnerTextAsync("main"), StringComparison.Ordinal);
        foreach (
            var (name, status) in ((string, string)[])[("oldest", "CLOSED"), ("middle", "ACTIVE"), ("newest", "CLOSED")]
        )
            Assert.Equal((name, status), (name, (await _server.GetAsync("/api/v1/sessions/" + name)).String("status")));
    }

    [Fact]
    public async Task Rows_are_selected_without_scripts_too()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
        var runs = new List<string>();
        for (var i = 0; i < 3; i++)
            runs.Add((await _server.PostAsync("/api/v1/runs", new { agent = "idle" })).String("id"));
        var page = await _browser.SignedInAsync(width: 390, scripts: false);
        await page.GotoAsync(_server.Url + "/console/runs");
        await page.GetByRole(AriaRole.Checkbox, new() { Name = "Select " + runs[1] }).CheckAsync();
        await page.Locator("#chosen").GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel them" }).ClickAsync();
        await page.ArrivesAsync("*/console/bulk/bulk_*");
        await _server.EndedBulkAsync(page.Url.Split('/')[^1]);
        foreach (var (run, phase) in runs.Zip((string[])["queued", "cancelled", "queued"]))
            Assert.Equal((run, phase), (run, (await _server.GetAsync("/api/v1/runs/" + run)).String("phase")));
    }

    /// <summary>Who may only read is offered no selection.</summary>
    [Fact]
    public async Task What_one_may_not_do_is_not_offered()
    {
        await _server.StartSessionAsync("s");
        var page = await _browser.SignedInAsync(await _server.KeyAsync("read:sessions", "read:runs"));
        foreach (var list in (string[])["/console/sessions", "/console/runs"])
        {
            await page.GotoAsync(_server.Url + list);
            Assert.NotEqual(0, await page.Locator("table.list tbody tr").CountAsync());
            Assert.Equal(0, await page.Locator(".pick, #chosen").CountAsync());
        }
    }
}
