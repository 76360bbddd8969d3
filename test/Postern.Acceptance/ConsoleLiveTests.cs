using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Postern.Access;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>Pages that move, in a real browser: what is said appears, what ends says why, nothing is lost.</summary>
public sealed class ConsoleLiveTests : IAsyncLifetime
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

    private async Task<string> SessionAsync(string name)
    {
        await _server.StartSessionAsync(name);
        return (await _server.GetAsync("/api/v1/sessions/" + name)).String("id");
    }

    private Task StateAsync(IPage page, string word) =>
        Assertions.Expect(page.Locator("#stream")).ToContainTextAsync(word, new() { Timeout = 15_000 });

    [Fact]
    public async Task What_is_said_elsewhere_appears_once_and_in_order()
    {
        var session = await SessionAsync("hello");
        var page = await _browser.SignedInAsync();
        var said = new List<string>();
        page.Console += (_, message) => said.Add(message.Text);
        await page.GotoAsync($"{_server.Url}/console/sessions/{session}");
        await StateAsync(page, "live");
        await _server.SayAsync("hello", "First <b>bold</b>\r\nevent: end");
        await Assertions.Expect(page.Locator("#messages article")).ToHaveCountAsync(2, new() { Timeout = 15_000 });
        Assert.Equal(0, await page.Locator("#messages b:text-is('bold')").CountAsync());
        // A form sends from the page itself, and leads back to it.
        await page.Locator("textarea[name=text]").FillAsync("Second.");
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Send" }).ClickAsync();
        await Assertions.Expect(page.Locator("#messages article")).ToHaveCountAsync(4, new() { Timeout = 15_000 });
        var numbers = await page.Locator("#messages article").EvaluateAllAsync<string[]>("e => e.map(a => a.id)");
        Assert.Equal(["m1", "m2", "m3", "m4"], numbers);
        Assert.Empty(said);
    }

    [Fact]
    public async Task A_run_that_ends_is_seen_to_end()
    {
        var asking = await Asking.PrepareAsync(_server);
        var (run, _, _) = await asking.RunningAsync();
        var page = await _browser.SignedInAsync();
        await page.GotoAsync($"{_server.Url}/console/runs/{run}");
        await StateAsync(page, "live");
        await _server.PostAsync($"/api/v1/runs/{run}/status", new { status = "succeeded" });
        await Assertions
            .Expect(page.Locator("#run-now .badge"))
            .ToContainTextAsync("succeeded", new() { Timeout = 15_000 });
        await StateAsync(page, "ended");
    }

    [Fact]
    public async Task A_revoked_key_ends_the_open_page_within_a_second()
    {
        var session = await SessionAsync("hello");
        var (id, key) = await _server.NamedKeyAsync("leaked", "read:sessions");
        var page = await _browser.SignedInAsync(key);
        await page.GotoAsync($"{_server.Url}/console/sessions/{session}");
        await StateAsync(page, "live");
        await _server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, _server.RootKey);
        await Assertions.Expect(page.Locator("#stream")).ToContainTextAsync("revoked", new() { Timeout = 1500 });
        await page.ReloadAsync();
        Assert.Contains("/console/sign-in", page.Url, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_fifth_page_of_a_session_pauses_the_oldest()
    {
        var session = await SessionAsync("hello");
        var first = await _browser.SignedInAsync();
        var pages = new List<IPage> { first };
        for (var i = 1; i < 5; i++)
            pages.Add(await first.Context.NewPageAsync());
        foreach (var page in pages)
        {
            await page.GotoAsync($"{_server.Url}/console/sessions/{session}");
            await StateAsync(page, "live");
        }
        await StateAsync(first, "elsewhere");
        // With nine tabs the next page still opens at once.
        for (var i = 0; i < 4; i++)
            Assert.Equal(
                200,
                (
                    await (await first.Context.NewPageAsync()).GotoAsync($"{_server.Url}/console/sessions/{session}")
                )!.Status
            );
    }

    [Fact]
    public async Task A_link_from_the_machine_signs_in_without_a_word_typed()
    {
        var sessions = _server.App.Services.GetRequiredService<ConsoleSessions>();
        var project = await _server.ProjectAsync();
        var (id, _) = await _server.NamedKeyAsync("linked", "read:runs");
        var once = await sessions.LinkAsync(project, id, TimeSpan.FromSeconds(60));
        var page = await _browser.NewPageAsync();
        var asked = new List<string>();
        page.Request += (_, request) => asked.Add(request.Url);
        await page.GotoAsync($"{_server.Url}/console/sign-in#{once}");
        await page.WaitForURLAsync(_server.Url + "/console");
        Assert.DoesNotContain(asked, url => url.Contains(once, StringComparison.Ordinal));
        Assert.Contains("Runs", await page.InnerTextAsync("aside"), StringComparison.Ordinal);
        Assert.DoesNotContain("Sessions", await page.InnerTextAsync("aside"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_go_where_they_say_and_not_while_one_types()
    {
        await SessionAsync("hello-there");
        var page = await _browser.SignedInAsync();
        await page.ReloadAsync();
        await page.Keyboard.PressAsync("g");
        await page.Keyboard.PressAsync("s");
        await page.WaitForURLAsync(_server.Url + "/console/sessions");
        await page.Keyboard.PressAsync("/");
        await page.Keyboard.TypeAsync("grs?hello");
        Assert.Equal("grs?hello", await page.Locator("#find").InputValueAsync());
        await page.Locator("#find").FillAsync("hello-th");
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync(_server.Url + "/console/sessions/session_**");
        await page.Locator("main").FocusAsync();
        await page.Keyboard.PressAsync("?");
        await page.GetByLabel("Keys are on").UncheckAsync();
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Close" }).Last.ClickAsync();
        await page.Locator("main").FocusAsync();
        await page.Keyboard.PressAsync("g");
        await page.Keyboard.PressAsync("r");
        Assert.Contains("/console/sessions/", page.Url, StringComparison.Ordinal);
    }
}
