using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Postern.Access;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Live updates of pages in a real browser: messages appear, an end shows its reason, nothing is lost.
/// </summary>
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
    public async Task Messages_from_elsewhere_appear_once_and_in_order()
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
        // A form is sent from the page itself, and leads back to it.
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
        await page.ArrivesAsync(_server.Url + "/console");
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
        await page.KeysAsync("g", "s");
        await page.ArrivesAsync(_server.Url + "/console/sessions");
        await page.KeysAsync("/");
        await page.Keyboard.TypeAsync("grs?hello");
        Assert.Equal("grs?hello", await page.Locator("#find").InputValueAsync());
        await page.Locator("#find").FillAsync("hello-th");
        await page.KeysAsync("Enter");
        await page.ArrivesAsync(_server.Url + "/console/sessions/session_*");
        await page.Locator("main").FocusAsync();
        await page.KeysAsync("?");
        await page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Turn shortcuts off" }).ClickAsync();
        await page.ArrivesAsync(_server.Url + "/console/settings");
        await page.GetByRole(AriaRole.Switch).UncheckAsync();
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Save" }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.body.dataset.keys === 'off'");
        await page.Locator("main").FocusAsync();
        await page.KeysAsync("g", "r", "?");
        Assert.EndsWith("/console/settings", page.Url, StringComparison.Ordinal);
        Assert.False(await page.Locator("#keys").IsVisibleAsync());
    }

    [Fact]
    public async Task Keys_move_in_a_list_and_from_one_thing_to_the_next()
    {
        var ids = new List<string>();
        foreach (var name in (string[])["third", "second", "first"])
            ids.Insert(0, await SessionAsync(name));
        var page = await _browser.SignedInAsync();
        await page.GotoAsync(_server.Url + "/console/sessions");
        await page.KeysAsync("j", "j", "k", "Enter");
        foreach (var (key, at) in ((string, int)[])[("", 0), ("]", 1), ("]", 2), ("]", 2), ("[", 1)])
        {
            if (key.Length > 0)
                await page.KeysAsync(key);
            await page.ArrivesAsync($"{_server.Url}/console/sessions/{ids[at]}");
        }
    }

    [Fact]
    public async Task The_last_filters_of_a_list_are_offered_until_one_signs_out()
    {
        var page = await _browser.SignedInAsync();
        for (var i = 0; i < 12; i++)
            await page.GotoAsync($"{_server.Url}/console/runs?agent=a{i}&size=");
        await page.GotoAsync(_server.Url + "/console/runs");
        await page.GetByText("Last filters").ClickAsync();
        var links = page.Locator("[data-recent] a");
        Assert.Equal(10, await links.CountAsync());
        Assert.Equal("agent = a11", await links.First.TextContentAsync());
        await links.Nth(1).ClickAsync();
        await page.ArrivesAsync(_server.Url + "/console/runs?agent=a10");
        // The browser's storage contains text like any other input.
        await page.EvaluateAsync(
            "localStorage.setItem('postern-filters:/console/sessions', "
                + "JSON.stringify(['name=<img src=x onerror=document.title=1>', 7, 'javascript:1']))"
        );
        await page.GotoAsync(_server.Url + "/console/sessions");
        Assert.Equal(0, await page.Locator("[data-recent] img").CountAsync());
        Assert.Equal(0, await page.Locator("[data-recent] a[href^=javascript]").CountAsync());
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Sign out" }).ClickAsync();
        await page.ArrivesAsync(_server.Url + "/console/sign-in");
        Assert.Equal(
            0,
            await page.EvaluateAsync<int>("Object.keys(localStorage).filter(k => k.startsWith('postern-f')).length")
        );
    }

    [Fact]
    public async Task A_persons_settings_hold_for_live_updates_too()
    {
        var id = await SessionAsync("zoned");
        var page = await _browser.SignedInAsync();
        await page.GotoAsync(_server.Url + "/console/settings");
        await page.GetByLabel("Theme").SelectOptionAsync("dark");
        await page.GetByLabel("Time zone").FillAsync("Asia/Tokyo");
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Save" }).ClickAsync();
        await page.WaitForFunctionAsync("() => getComputedStyle(document.documentElement).colorScheme === 'dark'");
        Assert.Contains("+09:00 Asia/Tokyo", await page.InnerTextAsync("main"), StringComparison.Ordinal);
        await page.GotoAsync($"{_server.Url}/console/sessions/{id}");
        await _server.SayAsync("zoned", "Hello.");
        var time = page.Locator("#m2 time");
        await time.WaitForAsync();
        Assert.Contains("+09:00", await time.GetAttributeAsync("title"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transcript_opens_at_its_end_and_is_scrolled_through_with_at_most_400_messages()
    {
        var id = await SessionAsync("long");
        for (var i = 0; i < 300; i++)
            await _server.SayAsync("long", "Message " + i);
        var page = await _browser.SignedInAsync();
        await page.GotoAsync($"{_server.Url}/console/sessions/{id}");
        await StateAsync(page, "live");
        const string first = "Number(document.querySelector('#messages > article').id.slice(1))";
        const string last = "Number(document.querySelector('#messages > article:last-child').id.slice(1))";
        const string count = "document.querySelectorAll('#messages > article').length";
        const string main = "document.getElementById('main')";
        Assert.True(
            await page.EvaluateAsync<bool>($"{main}.scrollTop + {main}.clientHeight > {main}.scrollHeight - 9")
        );
        var newest = await page.EvaluateAsync<int>(last);
        Assert.True(newest > 300, $"{newest}");
        // Scrolls up to the first message. The visible part stays in place, and the far end is dropped.
        var most = 0;
        for (var i = 0; i < 40 && await page.EvaluateAsync<int>(first) > 1; i++)
        {
            var before = await page.EvaluateAsync<int>(first);
            await page.EvaluateAsync($"{main}.scrollTop = 0");
            await WaitFor.TrueAsync(async () => await page.EvaluateAsync<int>(first) < before);
            most = Math.Max(most, await page.EvaluateAsync<int>(count));
        }
        Assert.Equal(1, await page.EvaluateAsync<int>(first));
        Assert.False(await page.Locator("[data-more=older]").IsVisibleAsync());
        Assert.True(most is > 100 and <= 400, $"{most}");
        // New messages are not shown behind a gap: they are there when the reader is back at the end.
        await _server.SayAsync("long", "The very last.");
        for (var i = 0; i < 40 && await page.Locator("[data-more=newer]").IsVisibleAsync(); i++)
        {
            await page.EvaluateAsync($"{main}.scrollTop = {main}.scrollHeight");
            await page.WaitForTimeoutAsync(50);
        }
        await Assertions
            .Expect(page.Locator("#messages"))
            .ToContainTextAsync("The very last.", new() { Timeout = 15_000 });
        var ids = await page.Locator("#messages > article").EvaluateAllAsync<int[]>("e => e.map(a => +a.id.slice(1))");
        Assert.Equal(Enumerable.Range(ids[0], ids.Length), ids);
        Assert.True(ids.Length <= 400, $"{ids.Length}");
        // A time is copied as its instant.
        var copied = await page.EvaluateAsync<string>(
            """
            () => {
              const time = document.querySelector('#messages time');
              getSelection().selectAllChildren(time.closest('header'));
              const data = new DataTransfer();
              const how = { clipboardData: data, bubbles: true, cancelable: true };
              document.dispatchEvent(new ClipboardEvent('copy', how));
              return data.getData('text/plain') + ' | ' + time.dateTime;
            }
            """
        );
        Assert.Contains(copied.Split(" | ")[1], copied.Split(" | ")[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Triggers_and_their_captures_change_where_they_stand()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
        var trigger = new
        {
            agent = "idle",
            promptTemplate = "{{body}}",
            maxInFlight = 5,
        };
        Assert.Equal(201, (await _server.PostAsync("/api/triggers/user/ada/issues", trigger)).Status);
        var list = await _browser.SignedInAsync();
        await list.GotoAsync(_server.Url + "/console/triggers");
        var one = await list.Context.NewPageAsync();
        await one.GotoAsync(_server.Url + "/console/triggers/user/ada/issues");
        foreach (var page in (IPage[])[list, one])
            await StateAsync(page, "live");
        var taken = await _server.SendAsync(HttpMethod.Post, "/inbound/user/ada/issues", null, "{}");
        var capture = taken.Json.GetProperty("data").GetProperty("requestId").GetString()!;
        var row = list.Locator("#triggers tbody tr");
        await Assertions
            .Expect(row.Locator("[data-name=places]"))
            .ToHaveTextAsync("1 of 5", new() { Timeout = 15_000 });
        await Assertions.Expect(one.Locator("#facts")).ToContainTextAsync("1 of 5 taken", new() { Timeout = 15_000 });
        await one.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "1 new" }).ClickAsync();
        await StateAsync(one, "live");
        // The outcome is shown in its row.
        var run = (await _server.GetAsync("/api/v1/runs")).Json.GetProperty("data")[0].GetProperty("id").GetString();
        await _server.PostAsync($"/api/v1/runs/{run}/cancel", new { });
        var status = one.Locator($"[id='c-{capture}'] .badge");
        await Assertions.Expect(status).ToContainTextAsync("failed", new() { Timeout = 15_000 });
        await Assertions
            .Expect(row.Locator("[data-name=places]"))
            .ToHaveTextAsync("0 of 5", new() { Timeout = 15_000 });
    }

    [Fact]
    public async Task A_chat_of_the_playground_has_its_records_beside_it_and_the_code_that_does_the_same()
    {
        var page = await _browser.SignedInAsync();
        var said = new List<string>();
        page.Console += (_, message) => said.Add(message.Text);
        await page.GotoAsync(_server.Url + "/console/playground");
        await page.Locator("textarea[name=text]").FillAsync("Hello, door.");
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Start chat" }).ClickAsync();
        await page.ArrivesAsync("*/console/sessions/session_*");
        var records = page.Locator("#beside");
        await Assertions.Expect(page.Locator("#messages article")).ToHaveCountAsync(2, new() { Timeout = 15_000 });
        await Assertions.Expect(records).ToContainTextAsync("turn-complete", new() { Timeout = 15_000 });
        await page.Locator("textarea[name=text]").FillAsync("And once more.");
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Send" }).ClickAsync();
        await Assertions.Expect(page.Locator("#messages article")).ToHaveCountAsync(4, new() { Timeout = 15_000 });
        await Assertions.Expect(records).ToContainTextAsync("once", new() { Timeout = 15_000 });
        // The lines run unchanged, against the session of the page.
        var library = await page.Locator(".beside details pre").First.TextContentAsync();
        var file = Repository.File("test/Postern.Acceptance/clients/of-the-page.mjs");
        await File.WriteAllTextAsync(file, library);
        try
        {
            var (code, output, error) = await Node.RunAsync(
                file,
                new() { ["TRIGGER_API_URL"] = _server.Url, ["TRIGGER_SECRET_KEY"] = _server.RootKey }
            );
            Assert.True(code == 0, output + error);
            Assert.Contains("Hello, door.", output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
        await Assertions.Expect(page.Locator("#messages article")).ToHaveCountAsync(6, new() { Timeout = 15_000 });
        var shell = await page.Locator(".beside details pre").Nth(1).TextContentAsync();
        Assert.Contains("/in/append", shell, StringComparison.Ordinal);
        Assert.Contains("curl -sN", shell, StringComparison.Ordinal);
        Assert.Empty(said);
    }
}
