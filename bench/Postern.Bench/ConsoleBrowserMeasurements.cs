using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Playwright;

namespace Postern.Bench;

/// <summary>
/// What an open transcript costs the browser, Debian's Chromium without a window: a thousand pieces of an answer that
/// is being written, and scrolling over four hundred messages.
/// </summary>
internal static class ConsoleBrowserMeasurements
{
    private const int Deltas = 1_000;

    public static async Task RunAsync(HttpClient http, string url, string key, string session)
    {
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = "/usr/bin/chromium",
                Headless = true,
                Args = ["--no-sandbox"],
            }
        );
        var page = await browser.NewPageAsync(
            new BrowserNewPageOptions
            {
                ViewportSize = new ViewportSize { Width = 1280, Height = 800 },
            }
        );
        await page.GotoAsync(url + "/console/sign-in");
        await page.Locator("input[name=key]").FillAsync(key);
        await page.Locator("main button[type=submit]").First.ClickAsync();
        await page.WaitForURLAsync(url + "/console");
        await page.GotoAsync($"{url}/console/sessions/{session}");
        await page.Locator("#stream[data-state=live]").WaitForAsync();
        await DeltasAsync(http, page, session);
        await ScrollAsync(http, page);
    }

    private static async Task DeltasAsync(HttpClient http, IPage page, string session)
    {
        var devtools = await page.Context.NewCDPSessionAsync(page);
        await devtools.SendAsync("Performance.enable");
        var path = $"/realtime/v1/sessions/{session}/out/append";
        await SayAsync("""{"type":"text-start","id":"t"}""");
        var before = await BusyAsync(devtools);
        for (var i = 0; i < Deltas; i++)
            await SayAsync($$"""{"type":"text-delta","id":"t","delta":"piece{{i}} of an answer, "}""");
        await page.Locator("#typing", new PageLocatorOptions { HasText = $"piece{Deltas - 1} " }).WaitForAsync();
        Measurements.Say(
            $"{Deltas:#,0} deltas, the browser's main thread",
            await BusyAsync(devtools) - before,
            "s",
            "target 5 s"
        );

        async Task SayAsync(string chunk)
        {
            using var body = new StringContent(chunk, Encoding.UTF8, "application/json");
            (await http.PostAsync(path, body)).EnsureSuccessStatusCode();
        }
    }

    /// <summary>Seconds that the page's main thread has worked.</summary>
    private static async Task<double> BusyAsync(ICDPSession devtools)
    {
        var said = (await devtools.SendAsync("Performance.getMetrics"))!.Value.GetProperty("metrics");
        return said.EnumerateArray()
            .First(m => m.GetProperty("name").GetString() == "TaskDuration")
            .GetProperty("value")
            .GetDouble();
    }

    /// <summary>
    /// The page holds four hundred messages at most; then it is scrolled from its end to its beginning.
    /// </summary>
    private static async Task ScrollAsync(HttpClient http, IPage page)
    {
        for (var i = 0; i < 320; i++)
            (
                await http.PostAsJsonAsync(
                    "/sessions/big/messages",
                    new { role = i % 2 == 0 ? "user" : "assistant", content = $"More {i}. " + new string('y', 400) }
                )
            ).EnsureSuccessStatusCode();
        await page.Locator("#messages article", new PageLocatorOptions { HasText = "More 319." }).WaitForAsync();
        var count = await page.Locator("#messages article").CountAsync();
        var frame = await page.EvaluateAsync<double>(
            """
            async () => {
              const main = document.getElementById('main');
              const box = getComputedStyle(main).overflowY === 'auto' ? main : document.scrollingElement;
              box.scrollTop = box.scrollHeight;
              const frames = [];
              let last = performance.now();
              for (let i = 0; i < 120; i++) {
                box.scrollTop -= 300;
                await new Promise(requestAnimationFrame);
                frames.push(performance.now() - last);
                last = performance.now();
              }
              return frames.sort((a, b) => a - b)[60];
            }
            """
        );
        Measurements.Say($"scrolling over {count} messages, a frame, p50", frame, "ms", "target 20 ms");
    }
}
