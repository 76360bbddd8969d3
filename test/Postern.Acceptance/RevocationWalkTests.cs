using System.Diagnostics;
using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// "This key is in a public log": from the find box to its end on two nodes, in three clicks, by a person in a browser.
/// </summary>
public sealed class RevocationWalkTests
{
    [Fact]
    public async Task A_key_in_a_public_log_is_found_and_ended_everywhere_in_three_clicks()
    {
        var connection = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var other = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await one.StartSessionAsync("s");
        var session = (await one.GetAsync("/api/v1/sessions/s")).String("id");
        var (id, key) = await one.NamedKeyAsync("<b>in a public log</b>", "admin");
        var token = await one.TokenOfAsync(key, "read:sessions");
        await one.PostAsync("/api/v1/runs", new { agent = "echo", start = false }, key);
        await using var browser = await ConsoleBrowser.StartAsync(one);
        await using var second = await ConsoleBrowser.StartAsync(other);
        var theirs = await second.SignedInAsync(key);
        await theirs.GotoAsync($"{other.Url}/console/sessions/{session}");
        var streams = new List<EventReader>();
        foreach (var node in (TestServer[])[one, other])
        foreach (var credential in (string[])[key, token])
        {
            streams.Add(await node.StreamAsync("/realtime/v1/sessions/s/out", credential));
            Assert.Equal(200, streams[^1].Status);
        }

        // The id in the find box.
        var page = await browser.SignedInAsync(one.RootKey);
        await page.Locator("#find").FillAsync(id);
        await page.KeysAsync("Enter");
        await page.ArrivesAsync($"{one.Url}/console/keys/{id}");
        var text = await page.InnerTextAsync("main");
        foreach (var said in (string[])["admin", "<b>in a public log</b>", "127.0.0.1", "token.minted", "run_"])
            Assert.Contains(said, text, StringComparison.Ordinal);
        // The first click, and the second.
        await page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Revoke", Exact = true }).ClickAsync();
        Assert.Contains(id, await page.InnerTextAsync("main"), StringComparison.Ordinal);
        var began = Stopwatch.GetTimestamp();
        var ends = streams.Select(EndOfAsync).ToList();
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Revoke it now" }).ClickAsync();
        await page.ArrivesAsync($"{one.Url}/console/keys/{id}");
        foreach (var (reason, at) in await Task.WhenAll(ends))
            Assert.Contains("revoked", reason, StringComparison.Ordinal);
        Assert.Equal(401, (await one.GetAsync("/api/v1/runs", key)).Status);
        Assert.Equal(401, (await other.GetAsync("/api/v1/runs", key)).Status);
        Assert.Equal(401, (await other.GetAsync("/api/v1/sessions", token)).Status);
        await Assertions.Expect(theirs.Locator("#stream[data-state=ended]")).ToBeVisibleAsync();
        Assert.Equal(200, (await theirs.GotoAsync($"{other.Url}/console/keys"))!.Status);
        Assert.Contains("/console/sign-in", theirs.Url, StringComparison.Ordinal);

        // The page lists them: four streams and the page's own, one session, one token.
        text = await page.InnerTextAsync("main");
        var rows = page.Locator("#ended + .table tbody tr");
        var times = 0;
        foreach (var row in await rows.AllAsync())
            times += int.Parse(
                await row.Locator("td").Last.InnerTextAsync(),
                System.Globalization.CultureInfo.InvariantCulture
            );
        Assert.True(times >= 5, $"{times} streams are listed:\n{text}\n{one.Log.Text}");
        Assert.Contains("key revoked", text, StringComparison.Ordinal);
        Assert.Contains("token.minted", text, StringComparison.Ordinal);
        foreach (var stream in streams)
            await stream.DisposeAsync();

        async Task<(string Reason, TimeSpan After)> EndOfAsync(EventReader stream)
        {
            var last = "";
            while (await stream.NextAsync() is { } read)
                last = read.Name + " " + read.Data;
            return (last, Stopwatch.GetElapsedTime(began));
        }
    }

    [Fact]
    public async Task A_key_revoked_on_another_node_ends_the_pages_that_it_has_open_and_they_say_so()
    {
        var connection = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var other = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await one.StartSessionAsync("s");
        var session = (await one.GetAsync("/api/v1/sessions/s")).String("id");
        var run = (await one.PostAsync("/api/v1/runs", new { agent = "echo", start = false })).String("id");
        var (id, key) = await one.NamedKeyAsync("leaked", "read:sessions", "read:runs");
        await using var browser = await ConsoleBrowser.StartAsync(other);
        var pages = new List<IPage> { await browser.SignedInAsync(key) };
        string[] paths = ["/sessions/" + session, "/runs/" + run, "/sessions"];
        while (pages.Count < paths.Length)
            pages.Add(await pages[0].Context.NewPageAsync());
        foreach (var (page, path) in pages.Zip(paths))
        {
            await page.GotoAsync($"{other.Url}/console{path}");
            await Assertions.Expect(page.Locator("#stream[data-state=live]")).ToBeVisibleAsync();
        }
        Assert.Equal(204, (await one.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, one.RootKey)).Status);
        var words = pages.Select(page =>
            Assertions
                .Expect(page.Locator("#stream[data-state=ended]"))
                .ToHaveTextAsync("ended: your access was revoked", new() { Timeout = 2000 })
        );
        await Task.WhenAll(words);
        // It does not reconnect, and the next page is the sign-in.
        Assert.Equal(0, other.HeldRequests);
        await pages[0].ReloadAsync();
        Assert.Contains("/console/sign-in", pages[0].Url, StringComparison.Ordinal);
    }
}
