using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Nine tabs of one person on one session. Without HTTP/2, a browser opens six connections to a server; no tab may hang
/// for lack of one.
/// </summary>
public sealed class ConsoleTabsTests
{
    private const int Tabs = 9;
    private const int PagesAtOnce = 4;
    private const int MostConnections = 6;

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Nine_tabs_are_live_in_their_turn_and_none_waits_for_another(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var browser = await ConsoleBrowser.StartAsync(server);
        await server.StartSessionAsync("shared");
        var id = (await server.GetAsync("/api/v1/sessions/shared")).String("id");
        var tabs = new List<IPage> { await browser.SignedInAsync() };
        while (tabs.Count < Tabs)
            tabs.Add(await tabs[0].Context.NewPageAsync());
        foreach (var tab in tabs)
        {
            Assert.Equal(200, (await tab.GotoAsync($"{server.Url}/console/sessions/{id}"))!.Status);
            await StateAsync(tab, "live");
        }
        // The newest four hold a stream; the others say that they have stopped.
        await WaitFor.TrueAsync(() => Task.FromResult(server.HeldRequests == PagesAtOnce));
        foreach (var tab in tabs.Take(Tabs - PagesAtOnce))
            await StateAsync(tab, "elsewhere");
        Assert.InRange(Connections(server), 1, MostConnections);

        await server.SayAsync("shared", "To all of you.");
        foreach (var tab in tabs.Skip(Tabs - PagesAtOnce))
            await Assertions.Expect(Messages(tab)).ToHaveCountAsync(2, Patience);
        Assert.All(await Task.WhenAll(tabs.Take(5).Select(t => Messages(t).CountAsync())), c => Assert.Equal(0, c));
        // A tab that gets the focus continues, and shows what it missed, once and in order.
        foreach (var tab in tabs)
        {
            await FocusAsync(tab);
            await StateAsync(tab, "live");
            await Assertions.Expect(Messages(tab)).ToHaveCountAsync(2, Patience);
            Assert.Equal(["m1", "m2"], await Messages(tab).EvaluateAllAsync<string[]>("e => e.map(a => a.id)"));
        }
        await WaitFor.TrueAsync(() => Task.FromResult(server.HeldRequests == PagesAtOnce));
        // With all of them open a page still opens, and a form is still taken.
        await tabs[0].GotoAsync(server.Url + "/console/runs");
        await tabs[4].Locator("textarea[name=text]").FillAsync("And from one of you.");
        await tabs[4].GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Send" }).ClickAsync();
        await Assertions.Expect(Messages(tabs[4])).ToHaveCountAsync(4, Patience);
        Assert.InRange(Connections(server), 1, MostConnections);
    }

    private static LocatorAssertionsToHaveCountOptions Patience => new() { Timeout = 15_000 };

    private static ILocator Messages(IPage page) => page.Locator("#messages article");

    private static Task StateAsync(IPage page, string word) =>
        Assertions.Expect(page.Locator("#stream")).ToContainTextAsync(word, new() { Timeout = 15_000 });

    /// <summary>A window without a screen never gets the focus event, so the test sends it.</summary>
    private static async Task FocusAsync(IPage page)
    {
        await page.BringToFrontAsync();
        await page.EvaluateAsync("dispatchEvent(new Event('focus'))");
    }

    /// <summary>The connections of browsers to the server: their other ends are sockets of another process.</summary>
    private static int Connections(TestServer server)
    {
        var (port, mine) = (new Uri(server.Url).Port, OwnSockets());
        return File.ReadLines("/proc/net/tcp")
            .Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Count(part =>
                part[2].EndsWith($":{port:X4}", StringComparison.Ordinal) && part[3] == "01" && !mine.Contains(part[9])
            );
    }

    private static HashSet<string> OwnSockets() =>
        [
            .. Directory
                .EnumerateFiles("/proc/self/fd")
                .Select(f => new FileInfo(f).LinkTarget ?? "")
                .Where(t => t.StartsWith("socket:[", StringComparison.Ordinal))
                .Select(t => t["socket:[".Length..^1]),
        ];
}
