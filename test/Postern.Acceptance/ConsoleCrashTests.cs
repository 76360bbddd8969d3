using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real process is killed with kill -9 under open pages, in the middle of a stream: they reconnect by themselves,
/// and show everything that was committed, once and in order.
/// </summary>
public sealed class ConsoleCrashTests
{
    private static Dictionary<string, string> Environment =>
        new()
        {
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_Runs__EchoDelayMilliseconds"] = "40",
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
        };

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_server_killed_in_mid_stream_costs_an_open_page_nothing(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-pages-").FullName;
        var database = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var arguments = $"--data {folder} --urls http://127.0.0.1:{PostgresServer.FreePort()}{database}";
        var server = await ServerProcess.StartAsync(arguments, Environment);
        using var http = server.Client(server.RootKey);
        await using var browser = await ConsoleBrowser.StartAsync(server.Url, server.RootKey);
        await StartAsync(http, "hello");
        var session = (await http.GetFromJsonAsync<JsonElement>("/api/v1/sessions/hello")).GetProperty("id");
        var page = await browser.SignedInAsync();
        await page.GotoAsync($"{server.Url}/console/sessions/{session.GetString()}");
        var list = await page.Context.NewPageAsync();
        await list.GotoAsync(server.Url + "/console/sessions");
        foreach (var open in (IPage[])[page, list])
            await StateAsync(open, "live");
        await SayAsync(http, 1, "Before it.");
        await Assertions.Expect(Messages(page)).ToHaveCountAsync(2, Patience);

        // A long answer is being written when the process dies.
        await SayAsync(http, 2, string.Join(' ', Enumerable.Range(0, 60).Select(i => "word" + i)));
        await Assertions.Expect(page.Locator("#typing")).ToContainTextAsync("word3", new() { Timeout = 15_000 });
        await server.KillAsync();
        await server.DisposeAsync();
        await StateAsync(page, "reconnecting");
        await StateAsync(list, "reconnecting");
        server = await ServerProcess.StartAsync(arguments, Environment);
        // A message from before the page has reconnected is not missed.
        await SayAsync(http, 3, "After it.");
        await StartAsync(http, "new-since");
        await StateAsync(page, "live");
        await Assertions.Expect(Messages(page)).ToHaveCountAsync(6, new() { Timeout = 30_000 });
        var committed = (await http.GetFromJsonAsync<JsonElement>("/api/v1/sessions/hello/transcript")).GetProperty(
            "messages"
        );
        Assert.Equal(
            Enumerable.Range(1, committed.GetArrayLength()).Select(i => "m" + i),
            await Messages(page).EvaluateAllAsync<string[]>("e => e.map(a => a.id)")
        );
        // The interrupted answer is complete: the agent continued where it stood.
        var texts = await Messages(page).Locator(".text").AllInnerTextsAsync();
        for (var i = 0; i < 60; i++)
            Assert.Equal(2, texts.Count(text => text.Split([' ', '\n']).Contains("word" + i)));
        Assert.Equal(["hello", "new-since"], await NamesAsync(list));
        await server.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The names in a live list, after it has said that there is one more and it was loaded.</summary>
    private static async Task<string[]> NamesAsync(IPage list)
    {
        var newer = list.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "1 new" });
        await newer.ClickAsync(new LocatorClickOptions { Timeout = 20_000 });
        await list.LoadedAsync();
        var names = await list.Locator("table.list tbody tr td:first-child").AllInnerTextsAsync();
        return [.. names.Select(n => n.Trim()).Order(StringComparer.Ordinal)];
    }

    private static LocatorAssertionsToHaveCountOptions Patience => new() { Timeout = 15_000 };

    private static ILocator Messages(IPage page) => page.Locator("#messages article");

    private static Task StateAsync(IPage page, string word) =>
        Assertions.Expect(page.Locator("#stream")).ToContainTextAsync(word, new() { Timeout = 30_000 });

    private static async Task StartAsync(HttpClient http, string name)
    {
        var session = new
        {
            type = "chat",
            externalId = name,
            taskIdentifier = "echo",
            triggerConfig = new { basePayload = new { } },
        };
        (await http.PostAsJsonAsync("/api/v1/sessions", session)).EnsureSuccessStatusCode();
    }

    private static async Task SayAsync(HttpClient http, int number, string text)
    {
        using var body = new StringContent(Chat.Message("hello", text), Encoding.UTF8, "application/json");
        using var said = await http.PostAsync("/realtime/v1/sessions/hello/in/append", body);
        Assert.True(said.IsSuccessStatusCode, $"message {number}: {said.StatusCode}");
    }
}
