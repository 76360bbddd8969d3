using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Postern.Relay.Plane;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The page on which people answer through a relay, in Debian's Chromium. The server that asks is there, away, and
/// back; the relay is honest, and not. With <c>UPDATE_SCREENSHOTS=1</c> it writes the pictures of <c>docs/</c>.
/// </summary>
public sealed class RelayedPeopleTests : IAsyncLifetime
{
    private string _postgres = null!;
    private RelayNode _relay = null!;
    private TestServer? _server;
    private string _rootKey = "";
    private JoinedPlane _plane = null!;
    private Asking _asking = null!;
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;
    private readonly List<string> _said = [];

    public async ValueTask InitializeAsync()
    {
        _postgres = PostgresServer.NewDatabase();
        _relay = await RelayNode.StartAsync();
        await ComeBackAsync();
        _rootKey = _server!.RootKey;
        var code = await _relay.CodeAsync();
        var enrolment = _server!.App.Services.GetRequiredService<PlaneEnrolment>();
        _plane = await enrolment.JoinAsync(code.ToString(), "office", default);
        _asking = await Asking.PrepareAsync(_server);
        await WaitFor.TrueAsync(
            async () =>
                (await _server.GetAsync("/api/v1/relay"))
                    .Json.GetProperty("data")[0]
                    .GetProperty("connection")
                    .GetProperty("holds")
                    .GetBoolean(),
            what: "the relay is connected"
        );
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
        await GoAwayAsync();
        await _relay.DisposeAsync();
    }

    private async Task GoAwayAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _server = null;
    }

    private async Task ComeBackAsync() =>
        _server = await TestServer.StartAsync(Backend.Postgres, o => o.Relay.DangerousPlainHttp = true, _postgres);

    private static readonly object Question = new
    {
        title = "Drop the table orders_2019?",
        description = "Nobody has read it since March. A backup of it is kept for 30 days.",
        payload = new { sql = "DROP TABLE orders_2019", rows = 1_204_113 },
        options = new[] { "now", "at night" },
        expires_in_hours = 8,
    };

    /// <summary>A question that the relay has, and its link.</summary>
    private async Task<(string Run, Person Person)> AskAsync(object? question = null)
    {
        var (run, _, id) = await _asking.WaitingAsync(question ?? Question);
        var shown = await _server!.GetAsync("/api/v1/approvals/" + id, await _asking.DeciderAsync());
        var person = new Person(_relay, PageLink.TryParse(shown.String("request_url"))!);
        await person.QuestionAsync();
        return (run, person);
    }

    /// <summary>A carriage return would write over the line, and more lines would pass for the command's own.</summary>
    private async Task AsksOneThingAndShowsAnotherAsync()
    {
        var (_, person) = await AskAsync(
            new
            {
                title = "Pay eve 1000\rPay bob 10  ",
                description = "All is well.\r\n\n  1  Reject\rx\nIt can be answered once, until tomorrow.",
                payload = "Pay eve 1000\u001b[1A\rPay bob 10  ",
            }
        );
        var seen = await PosternCommand.RunAsync($"approve {person.Link}");
        Assert.Equal(0, seen.Code);
        Assert.DoesNotContain('\r', seen.Out);
        Assert.DoesNotContain('\u001b', seen.Out);
        foreach (
            var line in (string[])
                ["  Pay eve 1000\\u{000d}Pay bob 10", "  |   1  Reject\\u{000d}x", "  | It can be answered once"]
        )
            Assert.Contains(line, seen.Out, StringComparison.Ordinal);
    }

    private async Task<IPage> WindowAsync(int width = 390, ColorScheme scheme = ColorScheme.Light)
    {
        var context = await _browser.NewContextAsync(
            new BrowserNewContextOptions
            {
                ColorScheme = scheme,
                ViewportSize = new ViewportSize { Width = width, Height = 844 },
            }
        );
        var page = await context.NewPageAsync();
        page.Console += (_, message) => _said.Add(message.Text);
        page.PageError += (_, error) => _said.Add(error);
        return page;
    }

    private static ILocator Button(IPage page, string name) =>
        page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name, Exact = true });

    private static Task<string> HeadingAsync(IPage page) =>
        page.GetByRole(AriaRole.Heading, new PageGetByRoleOptions { Level = 1 }).InnerTextAsync();

    private static async Task SaysAsync(IPage page, AriaRole role, string text)
    {
        await Assertions
            .Expect(page.GetByRole(role))
            .ToContainTextAsync(text, new LocatorAssertionsToContainTextOptions { Timeout = 30_000 });
        // The page loads itself anew for another link, and speaks before that is finished.
        await page.LoadedAsync();
    }

    private static async Task PictureAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("UPDATE_SCREENSHOTS") == "1")
            await page.ScreenshotAsync(
                new PageScreenshotOptions
                {
                    Path = name.Contains('/', StringComparison.Ordinal) ? name : Repository.File($"docs/{name}.png"),
                    FullPage = true,
                    Clip = new Clip
                    {
                        Width = page.ViewportSize!.Width,
                        Height = await page.EvaluateAsync<float>("document.querySelector('main').offsetHeight + 8"),
                    },
                }
            );
    }

    [Fact]
    public async Task With_the_server_away_it_opens_the_answer_waits_and_the_outcome_is_shown()
    {
        var (run, person) = await AskAsync();
        await GoAwayAsync();
        var page = await WindowAsync();
        var asked = new List<string>();
        page.Request += (_, request) => asked.Add(request.Url + request.PostData);
        await page.GotoAsync(person.Link.ToString());
        await Assertions.Expect(Button(page, "Approve")).ToBeVisibleAsync();
        Assert.Equal("Drop the table orders_2019?", await HeadingAsync(page));
        Assert.Contains(
            "\"rows\": 1204113",
            await page.GetByRole(AriaRole.Region, new PageGetByRoleOptions { Name = "What it is about" })
                .InnerTextAsync(),
            StringComparison.Ordinal
        );
        await page.GetByLabel("Choose one").SelectOptionAsync(new SelectOptionValue { Label = "at night" });
        await page.GetByLabel("Comment (the agent reads it)").FillAsync("Checked: the backup is there.");
        await Button(page, "Approve").ClickAsync();
        await SaysAsync(page, AriaRole.Status, "Your answer is stored");
        await PictureAsync(page, "relay-approve-stored");
        // Reloaded, it goes on following its receipt.
        await page.ReloadAsync();
        await SaysAsync(page, AriaRole.Status, "Your answer is stored");
        await ComeBackAsync();
        await SaysAsync(page, AriaRole.Status, "Approved on this page.");
        var kept = (await _server!.GetAsync($"/api/v1/executions/{run}/approval-status", _rootKey)).Json;
        Assert.Equal("approved", kept.GetProperty("status").GetString());
        Assert.Equal("Checked: the backup is there.", kept.GetProperty("feedback").GetString());
        Assert.Equal("at night", kept.GetProperty("response").GetProperty("option").GetString());
        await person.EndAsync();
        await page.ReloadAsync();
        await SaysAsync(page, AriaRole.Status, "Approved on this page.");
        // No other origin was asked, and nothing that was sent holds the secret or a word of it.
        Assert.All(asked, url => Assert.StartsWith(_relay.Url, url, StringComparison.Ordinal));
        foreach (var secret in new[] { person.Link.Secret, "backup", "night" })
            Assert.All(asked, sent => Assert.DoesNotContain(secret, sent.Split('#')[0], StringComparison.Ordinal));
        Assert.Empty(_said);
    }

    [Fact]
    public async Task It_is_good_to_look_at_and_to_use_in_every_form()
    {
        var (_, person) = await AskAsync();
        foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
        foreach (var width in (int[])[1280, 390])
        {
            var page = await WindowAsync(width, scheme);
            await page.GotoAsync(person.Link.ToString());
            await Assertions.Expect(Button(page, "Approve")).ToBeVisibleAsync();
            var form = $"{scheme.ToString().ToLowerInvariant()}-{width}";
            await PictureAsync(page, form == "light-390" ? "relay-approve" : $"/tmp/relay-approve-{form}.png");
            var faults = await Axe.FaultsAsync(page);
            Assert.True(faults.Length == 0, $"{form}:\n{string.Join('\n', faults)}");
            await page.SetViewportSizeAsync(320, 640);
            Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= 320"), form);
            await page.Context.CloseAsync();
        }
        // Opening it decides nothing, however often.
        Assert.False((await person.GetAsync()).Json.GetProperty("ended").GetBoolean());
        Assert.Equal(0, await _relay.CountAsync("relay_request"));
        Assert.Empty(_said);
    }

    [Fact]
    public async Task The_second_of_two_people_learns_the_decision()
    {
        var (_, person) = await AskAsync();
        var (first, second) = (await WindowAsync(), await WindowAsync());
        foreach (var page in new[] { first, second })
        {
            await page.GotoAsync(person.Link.ToString());
            await Assertions.Expect(Button(page, "Approve")).ToBeVisibleAsync();
        }
        await Button(first, "Reject").ClickAsync();
        await SaysAsync(first, AriaRole.Status, "Rejected on this page.");
        await Button(second, "Approve").ClickAsync();
        await SaysAsync(second, AriaRole.Status, "Rejected on this page.");
        Assert.DoesNotContain(_said, s => !s.Contains("status of 4", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_wrong_link_and_an_altered_page_open_nothing()
    {
        var (_, person) = await AskAsync();
        var page = await WindowAsync();
        var wrong = person.Link with { Secret = new string('A', 43) };
        await page.GotoAsync(wrong.ToString());
        await SaysAsync(page, AriaRole.Alert, "does not open with this link");
        await page.GotoAsync(_relay.Url + "/approve#" + person.Link.Plane);
        await SaysAsync(page, AriaRole.Alert, "incomplete");
        await page.GotoAsync((person.Link with { Page = new string('A', 22) }).ToString());
        await SaysAsync(page, AriaRole.Alert, "no such question");
        // The relay alters a byte, or gives another version.
        foreach (
            var sql in new[]
            {
                "UPDATE relay_page SET version = 7",
                "UPDATE relay_page SET version = 1, sealed = substr(sealed, 1, 99) || x'00' || substr(sealed, 101)",
            }
        )
        {
            await _relay.Database.WriteAsync(tx => tx.ExecuteAsync(sql));
            await page.GotoAsync("about:blank");
            await page.GotoAsync(person.Link.ToString());
            await SaysAsync(page, AriaRole.Alert, "does not open with this link");
            Assert.Equal(0, await Button(page, "Approve").CountAsync());
        }
        Assert.Equal(0, await _relay.CountAsync("relay_request"));
    }

    [Fact]
    public async Task An_answer_that_was_altered_on_its_way_is_no_outcome()
    {
        var (_, person) = await AskAsync();
        var (_, other) = await AskAsync(new { title = "Another?" });
        var question = await other.QuestionAsync();
        var foreign = await other.AnswerAsync(question, "approved");
        var page = await WindowAsync();
        await page.GotoAsync(person.Link.ToString());
        // The relay answers with the server's outcome for another question.
        await page.RouteAsync(
            "**/answers",
            route =>
                route.FulfillAsync(
                    new RouteFulfillOptions
                    {
                        Status = 200,
                        ContentType = "application/json",
                        Body = foreign.Text,
                    }
                )
        );
        await Button(page, "Approve").ClickAsync();
        await SaysAsync(page, AriaRole.Alert, "Your answer may have been taken");
        await page.UnrouteAllAsync();
        await Button(page, "Try again").ClickAsync();
        await Assertions.Expect(Button(page, "Approve")).ToBeVisibleAsync();
        // What it says is not stored: what was written stays.
        await page.RouteAsync("**/answers", route => route.AbortAsync());
        await page.GetByLabel("Comment (the agent reads it)").FillAsync("kept words");
        await Button(page, "Reject").ClickAsync();
        await SaysAsync(page, AriaRole.Alert, "Sending it again does no harm");
        Assert.Equal("kept words", await page.GetByLabel("Comment (the agent reads it)").InputValueAsync());
        await page.UnrouteAllAsync();
        await Button(page, "Reject").ClickAsync();
        await SaysAsync(page, AriaRole.Status, "Rejected on this page.");
    }

    [Fact]
    public async Task Hostile_text_is_text()
    {
        const string hostile = "<img src=x onerror=alert(1)> \u202e\u200b{{7*7}}";
        var (_, person) = await AskAsync(
            new
            {
                title = hostile,
                description = "<script>alert(1)</script>",
                payload = "</pre><script>alert(2)</script>",
                options = new[] { "\"><b>x" },
            }
        );
        var page = await WindowAsync();
        page.Dialog += (_, dialog) => throw new InvalidOperationException(dialog.Message);
        await page.GotoAsync(person.Link.ToString());
        await Assertions.Expect(Button(page, "Approve")).ToBeVisibleAsync();
        Assert.Equal("<img src=x onerror=alert(1)> \\u{202e}\\u{200b}{{7*7}}", await HeadingAsync(page));
        Assert.Equal(0, await page.Locator("main img, main script, main b").CountAsync());
        // The page's own eye, should a server not have made it visible: it does as the server does.
        var shown = await page.EvaluateAsync<string>(
            "async () => (await (await fetch('approve.js')).text()).match(/const hidden = [^;]+;/)[0]"
        );
        foreach (var text in Texts)
        {
            var made = await page.EvaluateAsync<string>(
                "text => { "
                    + shown
                    + " return text.replace(hidden, c => '\\n\\r\\t'.includes(c) ? c"
                    + " : '\\\\u{' + c.codePointAt(0).toString(16).padStart(4, '0') + '}'); }",
                text
            );
            Assert.Equal(Postern.Approvals.Visible.Text(text), made);
        }
        // An added script does not run, nor does a string become one.
        Assert.False(
            await page.EvaluateAsync<bool>(
                """
                () => { const s = document.createElement('script');
                  try { s.textContent = 'window.ran = true'; document.head.append(s); } catch { }
                  return window.ran === true; }
                """
            )
        );
    }

    private static readonly string[] Texts =
    [
        "plain\n\ttext",
        "\u202eright to left\u2066",
        "zero\u200bwidth\u00ad\ufeff",
        "a\u0301\u0301\u0301\u0301\u0301\u0301 marks",
        "\u2800\u3164\uffa0 blanks",
        "\U000e0041\U0001d173 tags",
        "\u0007bell \u2028 line",
        "שלום ไทย हिन्दी 😀",
        "\ue000 private",
    ];

    [Fact]
    public async Task A_page_of_another_origin_and_a_terminal_answer_too()
    {
        var folder = Directory.CreateTempSubdirectory("postern-page-").FullName;
        var written = await PosternCommand.RunAsync($"relay page {folder} --at {_relay.Url}");
        Assert.True(written.Code == 0, written.Error);
        Assert.Contains(ApprovePage.IntegrityOf(ApprovePage.Script), written.Out, StringComparison.Ordinal);
        Assert.Equal(2, (await PosternCommand.RunAsync($"relay page {folder} --at nowhere")).Code);
        await using var files = await FileServer.StartAsync(folder);
        var (_, person) = await AskAsync();
        var page = await WindowAsync();
        await page.GotoAsync((person.Link with { Url = files.Url + "/approve.html" }).ToString());
        await Button(page, "Request changes").ClickAsync();
        await SaysAsync(page, AriaRole.Status, "Changes were requested on this page.");
        Assert.Empty(_said);

        var (run, inTerminal) = await AskAsync();
        var seen = await PosternCommand.RunAsync($"approve {inTerminal.Link} --decision reject --comment no");
        Assert.True(seen.Code == 0, seen.Error + seen.Out);
        foreach (var word in new[] { "Drop the table orders_2019?", "\"rows\": 1204113", "Rejected on this page." })
            Assert.Contains(word, seen.Out, StringComparison.Ordinal);
        Assert.Equal("no", (await _asking.StatusAsync(run)).GetProperty("feedback").GetString());
        await AsksOneThingAndShowsAnotherAsync();
        await inTerminal.EndAsync();
        var again = await PosternCommand.RunAsync($"approve {inTerminal.Link} --decision approve");
        Assert.Contains("Rejected on this page.", again.Out, StringComparison.Ordinal);
        var wrong = await PosternCommand.RunAsync(
            $"approve {inTerminal.Link with { Secret = new string('A', 43) }} --decision approve"
        );
        Assert.NotEqual(0, wrong.Code);
        Assert.Contains("does not open", wrong.Error + wrong.Out, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }
}
