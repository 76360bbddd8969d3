using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The page for the person in a real browser, Debian's Chromium without a window: with scripts switched off, on a
/// telephone, by keyboard. With <c>UPDATE_SCREENSHOTS=1</c> it writes the pictures of <c>docs/</c>.
/// </summary>
public sealed class ApprovalPageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Asking _asking = null!;
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _asking = await Asking.PrepareAsync(_server);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = "/usr/bin/chromium",
                Headless = true,
                Args = ["--no-sandbox"],
            }
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await _server.DisposeAsync();
    }

    private static readonly object Question = new
    {
        title = "Drop the table orders_2019?",
        description = "Nobody has read it since March. A backup of it is kept for 30 days.",
        payload = new
        {
            sql = "DROP TABLE orders_2019",
            rows = 1_204_113,
            requestedBy = "cleanup, nightly",
        },
        expires_in_hours = 8,
    };

    private async Task<(string Run, string Url)> AskAsync(object? body = null)
    {
        var (run, token, _) = await _asking.RunningAsync();
        return (
            run,
            _server.Url
                + await _asking.LinkAsync(
                    (await _asking.AskAsync(run, token, body ?? Question)).String("approval_request_id")
                )
        );
    }

    /// <summary>A telephone whose browser runs no script: everything that works here needs none.</summary>
    private async Task<IPage> PhoneAsync(bool scripts = false) =>
        await (
            await _browser.NewContextAsync(
                new BrowserNewContextOptions
                {
                    JavaScriptEnabled = scripts,
                    ViewportSize = new ViewportSize { Width = 390, Height = 844 },
                    DeviceScaleFactor = 2,
                }
            )
        ).NewPageAsync();

    private static async Task PictureAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("UPDATE_SCREENSHOTS") == "1")
            await page.ScreenshotAsync(
                new PageScreenshotOptions
                {
                    Path = Repository.File($"docs/{name}.png"),
                    Clip = new Clip
                    {
                        Width = 390,
                        Height = await page.EvaluateAsync<float>("document.querySelector('main').offsetHeight + 8"),
                    },
                }
            );
    }

    [Fact]
    public async Task A_person_approves()
    {
        var (run, url) = await AskAsync();
        var page = await PhoneAsync();
        Assert.Equal(200, (await page.GotoAsync(url))!.Status);
        Assert.Equal(
            "Drop the table orders_2019?",
            await page.GetByRole(AriaRole.Heading, new PageGetByRoleOptions { Level = 1 }).InnerTextAsync()
        );
        Assert.Contains(
            "\"rows\": 1204113",
            await page.GetByRole(AriaRole.Region, new PageGetByRoleOptions { Name = "What it is about" })
                .InnerTextAsync(),
            StringComparison.Ordinal
        );
        await PictureAsync(page, "approval-question");
        await page.GetByLabel("Comment (the agent reads it)").FillAsync("Checked: the backup is there.");
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Approve" }).ClickAsync();
        Assert.Equal("Approved on this page.", await page.GetByRole(AriaRole.Status).InnerTextAsync());
        await PictureAsync(page, "approval-answer");
        var kept = await _asking.StatusAsync(run);
        Assert.Equal(
            ("approved", "Checked: the backup is there."),
            (kept.GetProperty("status").GetString(), kept.GetProperty("feedback").GetString())
        );
        // Reloading and going back send nothing a second time.
        await page.ReloadAsync();
        Assert.Equal("Approved on this page.", await page.GetByRole(AriaRole.Status).InnerTextAsync());
        Assert.Equal(0, await page.GetByRole(AriaRole.Button).CountAsync());
        Assert.Equal("running", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
    }

    [Fact]
    public async Task A_person_rejects_with_a_comment_by_keyboard_alone()
    {
        var (run, url) = await AskAsync();
        var page = await PhoneAsync();
        await page.GotoAsync(url);
        // The payload can be reached to be scrolled, then the comment, then the buttons in their order.
        await page.KeysAsync("Tab", "Tab");
        await page.Keyboard.TypeAsync("Not on a Friday.");
        for (var i = 0; i < 3; i++)
            await page.KeysAsync("Tab");
        await page.KeysAsync("Enter");
        Assert.Equal("Rejected on this page.", await page.GetByRole(AriaRole.Status).InnerTextAsync());
        Assert.Contains("Not on a Friday.", await page.InnerTextAsync("main"), StringComparison.Ordinal);
        var ended = await _asking.RunAsync(run);
        Assert.Equal(
            ("cancelled", "The approval was rejected: Not on a Friday."),
            (ended.GetProperty("phase").GetString(), ended.GetProperty("reason").GetString())
        );
    }

    [Fact]
    public async Task Pressing_enter_in_a_choice_decides_nothing_and_a_choice_is_sent_with_the_answer()
    {
        var (run, url) = await AskAsync(
            new { title = "Where to?", options = new object[] { "Dublin", new { id = "ohio", label = "Ohio" } } }
        );
        var page = await PhoneAsync();
        await page.GotoAsync(url);
        await page.GetByLabel("Choose one").SelectOptionAsync("Ohio");
        await page.GetByLabel("Choose one").FocusAsync();
        await page.KeysAsync("Enter", "Escape");
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Request changes" }).ClickAsync();
        Assert.Equal("Changes were requested on this page.", await page.GetByRole(AriaRole.Status).InnerTextAsync());
        Assert.Equal("{\"option\":\"ohio\"}", (await _asking.StatusAsync(run)).GetProperty("response").GetRawText());
    }

    [Fact]
    public async Task A_link_that_has_expired_says_so()
    {
        var (run, url) = await AskAsync();
        var page = await PhoneAsync();
        await page.GotoAsync(url);
        _server.Clock.Advance(TimeSpan.FromHours(9));
        // The form was open when the time ran out.
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Approve" }).ClickAsync();
        Assert.Equal(
            "Your answer was not taken: it had been settled before.",
            await page.GetByRole(AriaRole.Alert).InnerTextAsync()
        );
        Assert.Equal("Nobody answered in time: it expired.", await page.GetByRole(AriaRole.Status).InnerTextAsync());
        await page.GotoAsync(url);
        Assert.Equal("Nobody answered in time: it expired.", await page.GetByRole(AriaRole.Status).InnerTextAsync());
        Assert.Equal("expired", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
        Assert.Equal(401, (await page.GotoAsync(url[..^1]))!.Status);
        Assert.Contains("This link opens nothing", await page.InnerTextAsync("main"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_decision_from_elsewhere_is_shown()
    {
        var (run, url) = await AskAsync();
        var page = await PhoneAsync();
        await page.GotoAsync(url);
        await _asking.DecideAsync(
            (await _asking.StatusAsync(run)).GetProperty("approval_request_id").GetString()!,
            "rejected",
            "Legal said no."
        );
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Approve" }).ClickAsync();
        Assert.Equal(
            "Your answer was not taken: it had been settled before.",
            await page.GetByRole(AriaRole.Alert).InnerTextAsync()
        );
        Assert.Equal(
            "Rejected through the approval service default.",
            await page.GetByRole(AriaRole.Status).InnerTextAsync()
        );
        Assert.Contains("Legal said no.", await page.InnerTextAsync("main"), StringComparison.Ordinal);
        Assert.Equal("rejected", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task No_script_of_the_agents_runs_even_where_scripts_may()
    {
        const string evil =
            "</pre></title></style><script>document.title='taken'</script><img src=x "
            + "onerror=\"document.title='taken'\"><form action=//evil.example>";
        var (_, url) = await AskAsync(
            new
            {
                title = evil,
                description = evil,
                payload = evil,
                options = new[] { evil },
            }
        );
        var page = await PhoneAsync(scripts: true);
        var (errors, requests) = (new List<string>(), new List<string>());
        page.Console += (_, message) => errors.Add(message.Text);
        page.Request += (_, request) => requests.Add(request.Url);
        await page.GotoAsync(url);
        Assert.Equal("Approve: " + evil, await page.TitleAsync());
        Assert.Equal(
            evil,
            await page.GetByRole(AriaRole.Heading, new PageGetByRoleOptions { Level = 1 }).InnerTextAsync()
        );
        Assert.Equal(1, await page.Locator("form").CountAsync());
        // The page loaded nothing else and its style was applied: the policy blocked nothing.
        Assert.All(requests, r => Assert.StartsWith(_server.Url, r, StringComparison.Ordinal));
        Assert.DoesNotContain(errors, e => e.Contains("Content Security Policy", StringComparison.Ordinal));
        Assert.Equal(
            "block",
            await page.EvaluateAsync<string>("getComputedStyle(document.querySelector('label')).display")
        );
        // A script that is added afterwards does not run either: the policy stops it, not the escaping.
        await page.EvaluateAsync(
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=\\'taken\\'\">'); "
                + "const s = document.createElement('script'); s.textContent = \"document.title='taken'\"; "
                + "document.body.append(s)"
        );
        Assert.Equal("Approve: " + evil, await page.TitleAsync());
        Assert.Contains(errors, e => e.Contains("Content Security Policy", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_page_is_readable()
    {
        var (_, url) = await AskAsync(
            new
            {
                title = "A title without a space: " + new string('x', 200),
                payload = new string('y', 3000),
                options = new[] { "one", "two" },
            }
        );
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            var page = await (
                await _browser.NewContextAsync(
                    new BrowserNewContextOptions
                    {
                        ViewportSize = new ViewportSize { Width = 320, Height = 640 },
                        ColorScheme = scheme,
                    }
                )
            ).NewPageAsync();
            await page.GotoAsync(url);
            Assert.Equal("en", await page.EvaluateAsync<string>("document.documentElement.lang"));
            Assert.Equal(1, await page.Locator("main").CountAsync());
            Assert.Equal(1, await page.Locator("h1").CountAsync());
            // Nothing is wider than the telephone; every field has a name; every button is large enough for a thumb.
            Assert.True(
                await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"),
                "it scrolls sideways"
            );
            Assert.True(
                await page.EvaluateAsync<bool>(
                    "[...document.querySelectorAll('textarea, select')].every(f => f.labels.length === 1 && "
                        + "f.labels[0].innerText.trim())"
                ),
                "a field without a label"
            );
            Assert.True(
                await page.EvaluateAsync<bool>(
                    "[...document.querySelectorAll('.buttons button')].every(b => b.offsetHeight >= 44 && "
                        + "b.offsetWidth >= 44)"
                ),
                "a button too small to hit"
            );
            await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Approve" }).FocusAsync();
            await page.KeysAsync("Tab");
            Assert.Equal(
                "3px",
                await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineWidth")
            );
            // Text against what is behind it: 4.5 to 1 at least (WCAG 2.2, 1.4.3).
            var contrasts = await page.EvaluateAsync<double[]>(
                """
                () => {
                  const parse = c => c.match(/[\d.]+/g).map(Number);
                  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
                  const light = ([r, g, b]) =>
                    [r, g, b].map(v => linear(v / 255)).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
                  const behind = e => {
                    for (; e; e = e.parentElement) {
                      const c = parse(getComputedStyle(e).backgroundColor);
                      if (c.length < 4 || c[3] > 0) return c;
                    }
                    return [255, 255, 255];
                  };
                  const texts = 'p, h1, h2, pre, label, select, textarea, button:not([hidden]), time';
                  return [...document.querySelectorAll(texts)].map(e => {
                    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
                    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
                  });
                }
                """
            );
            Assert.True(contrasts.Length > 8 && contrasts.Min() >= 4.5, $"{scheme}: {contrasts.Min()} to 1");
        }
    }
}
