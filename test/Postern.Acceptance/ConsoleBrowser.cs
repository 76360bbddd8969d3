using System.Collections.Concurrent;
using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The console in a real browser, Debian's Chromium without a window, signed in to a server of this process.
/// <see cref="CheckAsync"/> checks the rules for every page.
/// </summary>
internal sealed class ConsoleBrowser : IAsyncDisposable
{
    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;
    private readonly string _url;
    private readonly string _rootKey;

    private ConsoleBrowser(string url, string rootKey, IPlaywright playwright, IBrowser browser) =>
        (_url, _rootKey, _playwright, _browser) = (url, rootKey, playwright, browser);

    public static Task<ConsoleBrowser> StartAsync(TestServer server) => StartAsync(server.Url, server.RootKey);

    /// <summary>For a server wherever it runs, by its address and the key to sign in with.</summary>
    public static async Task<ConsoleBrowser> StartAsync(string url, string rootKey)
    {
        var playwright = await Playwright.CreateAsync();
        var browser = await playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = "/usr/bin/chromium",
                Headless = true,
                Args = ["--no-sandbox"],
            }
        );
        return new ConsoleBrowser(url, rootKey, playwright, browser);
    }

    /// <summary>A window, signed in with a key as a person does; with the root key when none is given.</summary>
    public async Task<IPage> SignedInAsync(
        string? key = null,
        int width = 1280,
        ColorScheme scheme = ColorScheme.Light,
        bool scripts = true
    )
    {
        var context = await _browser.NewContextAsync(
            new BrowserNewContextOptions
            {
                JavaScriptEnabled = scripts,
                ColorScheme = scheme,
                ViewportSize = new ViewportSize { Width = width, Height = width < 500 ? 844 : 800 },
            }
        );
        var page = await context.NewPageAsync();
        await page.GotoAsync(_url + "/console/sign-in");
        await page.Locator("input[name=key]").FillAsync(key ?? _rootKey);
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Sign in" }).ClickAsync();
        await page.ArrivesAsync(_url + "/console");
        return page;
    }

    public async Task<IPage> NewPageAsync(bool scripts = true) =>
        await (
            await _browser.NewContextAsync(new BrowserNewContextOptions { JavaScriptEnabled = scripts })
        ).NewPageAsync();

    /// <summary>
    /// Opens pages wide and light, narrow and dark, and with scripts off. Each must answer 200, write nothing to the
    /// browser's console, load nothing from another origin, have no accessibility fault that a program can find, and
    /// not scroll sideways at 320 px. Pictures are made in all four forms.
    /// </summary>
    /// <param name="paths">Under <c>/console</c>, each with the name of its picture in the documents, or null.</param>
    public async Task CheckAsync(params IReadOnlyList<(string Path, string? Picture)> paths)
    {
        (ColorScheme Scheme, int Width)[] forms = Pictured
            ? [(ColorScheme.Light, 1280), (ColorScheme.Dark, 390), (ColorScheme.Dark, 1280), (ColorScheme.Light, 390)]
            : [(ColorScheme.Light, 1280), (ColorScheme.Dark, 390)];
        foreach (var (scheme, width) in forms)
        {
            var page = await SignedInAsync(width: width, scheme: scheme);
            var (said, asked) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
            page.Console += (_, message) => said.Enqueue(message.Text);
            page.PageError += (_, error) => said.Enqueue(error);
            page.Request += (_, request) => asked.Enqueue(request.Url);
            foreach (var (path, picture) in paths)
            {
                var where = $"{path}, {scheme}, {width} px";
                var answer = await page.GotoAsync(_url + "/console" + path);
                Assert.True(answer!.Status == 200, $"{where}: {answer.Status}");
                await PictureAsync(page, path, picture, $"{scheme.ToString().ToLowerInvariant()}-{width}");
                Assert.True(said.IsEmpty, $"{where} says: {string.Join('\n', said)}");
                Assert.All(asked, url => Assert.StartsWith(_url, url, StringComparison.Ordinal));
                var faults = await Axe.FaultsAsync(page);
                Assert.True(faults.Length == 0, $"{where}:\n{string.Join('\n', faults)}");
                if (width > 500)
                    continue;
                await page.SetViewportSizeAsync(320, 640);
                Assert.True(
                    await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= 320"),
                    $"{where} scrolls sideways at 320 px: " + await WidestAsync(page)
                );
                await page.SetViewportSizeAsync(390, 844);
            }
            await page.Context.CloseAsync();
        }
        await CheckWithoutScriptsAsync(paths);
    }

    private async Task CheckWithoutScriptsAsync(IReadOnlyList<(string Path, string? Picture)> paths)
    {
        var page = await SignedInAsync(width: 390, scripts: false);
        foreach (var (path, _) in paths)
        {
            Assert.Equal(200, (await page.GotoAsync(_url + "/console" + path))!.Status);
            Assert.True(await page.Locator("h1").IsVisibleAsync(), path);
            // The menu is there without its button.
            Assert.True(await page.Locator("aside a").First.IsVisibleAsync(), path);
        }
        await page.Context.CloseAsync();
    }

    private static bool Pictured => Environment.GetEnvironmentVariable("UPDATE_SCREENSHOTS") == "1";

    private static async Task PictureAsync(IPage page, string path, string? name, string form)
    {
        if (!Pictured)
            return;
        await page.EvaluateAsync(RenameMachine, Environment.MachineName);
        // The documents show one picture of a page. All forms of all pages are for people who check them.
        if (name is not null && form == "light-1280")
            await page.ScreenshotAsync(new() { Path = Path.Combine(Repository.File("docs"), $"console-{name}.png") });
        var words = path.Split('/', '?', '&', '=', '%').Where(w => w.Length is > 0 and < 20).Prepend("console");
        var file = Path.Combine(Directory.CreateDirectory(Forms).FullName, $"{string.Join('-', words)}-{form}.png");
        await page.ScreenshotAsync(new() { Path = file });
    }

    /// <summary>A picture does not show on which machine it was made.</summary>
    private const string RenameMachine = """
        name => {
          const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (texts.nextNode())
            texts.currentNode.data = texts.currentNode.data.replaceAll(name, 'node-1');
        }
        """;

    private static string Forms => Path.Combine(Path.GetTempPath(), "postern-pictures");

    private static Task<string> WidestAsync(IPage page) =>
        page.EvaluateAsync<string>(
            """
            [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 321)
              .slice(0, 5).map(e => e.outerHTML.slice(0, 150)).join('\n')
            """
        );

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}
