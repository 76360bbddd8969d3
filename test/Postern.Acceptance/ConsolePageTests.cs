using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The pages of the console in a real browser, on a server with something of everything. With
/// <c>UPDATE_SCREENSHOTS=1</c> it writes the pictures of <c>docs/</c>.
/// </summary>
public sealed class ConsolePageTests : IAsyncLifetime
{
    private const string SenderSecret = "a secret of the sender, long enough";
    private TestServer _server = null!;
    private ConsoleBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync(set: o => o.Relay.DangerousPlainHttp = true);
        _browser = await ConsoleBrowser.StartAsync(_server);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task What_looks_for_accessibility_faults_finds_one()
    {
        var page = await _browser.NewPageAsync();
        await page.GotoAsync(_server.Url + "/console/sign-in");
        Assert.Empty(await Axe.FaultsAsync(page));
        await page.EvaluateAsync("document.body.append(document.createElement('img'))");
        Assert.Contains(
            await Axe.FaultsAsync(page),
            fault => fault.StartsWith("image-alt: ", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task The_page_of_relays_is_clean_with_none_and_with_one_that_is_nearly_full()
    {
        await _browser.CheckAsync(("/relay", null));
        await using var relay = await TestRelay.StartAsync();
        relay.Ready = r => r with { Backlog = new(8_412, 9_300_000, r.Time - 5_400_000) };
        await relay.JoinAsync(_server);
        await relay.ConnectionAsync();
        await _browser.CheckAsync(("/relay", null));
    }

    [Fact]
    public async Task Every_page_is_clean_in_every_form()
    {
        await _browser.CheckAsync(
            ("/runs", null),
            ("/sessions", null),
            ("/approvals", null),
            ("/deliveries", null),
            ("/triggers", null),
            ("/bulk", null)
        );
        await _server.StartSessionAsync("hello");
        await _server.SayAsync("hello", "Hello, door. See https://example.com/a?b=c.");
        var asking = await Asking.PrepareAsync(_server);
        var (waiting, _, _) = await asking.WaitingAsync(new { title = "Drop the table orders_2019?" });
        var (failed, _, _) = await asking.RunningAsync();
        await _server.PostAsync(
            $"/api/v1/runs/{failed}/status",
            new { status = "failed", failure = new { code = "model_error", message = "The model is loading now." } }
        );
        await _server.PostAsync("/api/v1/runs", new { agent = "p", input = new { order = 17 } });
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/sessions/hello/transcript")).Json.GetProperty("messages").GetArrayLength()
            == 2
        );
        var session = (await _server.GetAsync("/api/v1/sessions/hello")).String("id");
        var question = (await _server.GetAsync("/api/v1/runs/" + waiting)).String("approvalRequestId");
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (404, "<b>nobody</b> is here");
        var dead = await DeadLetters.OneAsync(_server, receiver.Url);
        var capture = await CaptureAsync("{\"action\":\"opened\",\"issue\":{\"number\":17}}");
        await Figures.FillAsync(_server);
        var held = await HeldQuestionAsync();
        var job = await _server.StartBulkAsync("runs.retry", new { agent = "p" }, "The model is back.");
        await _server.EndedBulkAsync(job);
        await _server.FullTriggerAsync("loop", 3);
        var running = await _server.StartBulkAsync("captures.replay", new { trigger = "user/u/loop" });
        await _browser.CheckAsync(
            ("/runs?from=2026-01-01", "runs-of-span"),
            ("/deliveries?status=dead", "dead-letters"),
            ("/bulk", null),
            ("/bulk/ask?action=deliveries.retry&status=dead", null),
            ("/bulk/ask?action=runs.cancel&agent=nobody", null),
            ("/bulk/pause?trigger=user%2Fu%2Floop", null),
            ("/bulk/" + job, "bulk-job"),
            ("/bulk/" + running, null),
            ("", "overview"),
            ("?chart=commit", null),
            ("?chart=runs&span=48h", null),
            ("/server", "server"),
            ("/runs", null),
            ("/runs?phase=failed", null),
            ("/runs?agent=nobody", null),
            ($"/runs/{waiting}", null),
            ($"/runs/{failed}", "run-failed"),
            ($"/runs/{waiting}/cancel", null),
            ("/approvals", null),
            ("/deliveries", null),
            ($"/deliveries/{dead}", null),
            ($"/approvals/{question}", "approval"),
            ("/sessions", null),
            ($"/sessions/{session}", "transcript"),
            ($"/sessions/{session}?tab=records", null),
            ($"/sessions/{session}?tab=runs", null),
            ($"/sessions/{session}?tab=facts", null),
            ($"/sessions/{session}/close", null),
            ("/triggers", null),
            ("/triggers/new", null),
            ("/triggers/user/ada/issues", null),
            ("/triggers/user/ada/issues/change", null),
            ("/triggers/user/ada/issues/delete", null),
            ("/triggers/user/ada/nightly", null),
            ("/captures/" + capture, "capture"),
            ("/endpoints", null),
            ("/endpoints/new", null),
            ("/endpoints/orders", null),
            ("/endpoints/orders/rotate", null),
            ("/agents", null),
            ("/agents/p", null),
            ("/agents/new", null),
            ("/agents/p/delete", null),
            ("/workflows", null),
            ("/workflows/agent", "workflow"),
            ("/playground", null),
            ("/playground?tab=run", null),
            ("/playground/decision", null),
            ($"/playground/decision?approval={held}&sent=401,200", "decision"),
            ($"/sessions/{session}?beside=records", "chat"),
            ("/triggers/user/ada/issues?text=issue.number=17", null),
            ("/approvals?aside=shown", null),
            ("/runs?text=loading", null),
            ("/playground?tab=webhook", "playground"),
            ("/playground?tab=webhook&trigger=user/ada/issues&from=" + capture, null),
            ($"/triggers/user/ada/issues?sent=200,200&capture={capture}", null),
            ($"/sessions/{session}?text=door", null),
            ("/settings", null),
            ("/find?q=none-at-all", null)
        );
        var (key, text) = await _server.NamedKeyAsync("worker of the shop", "read:runs", "write:runs", "write:tasks:p");
        await _server.PostAsync("/api/v1/runs", new { agent = "p", start = false }, text);
        await _server.PostAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:runs" } }, text);
        var refused = (await _server.GetAsync("/api/v1/keys", text)).Header("X-Refusal-Id");
        await _server.GetAsync("/api/v1/runs", "pst_live_mistyped");
        await _server.PostAsync("/api/v1/callback-secrets", null);
        await _browser.CheckAsync(
            ("/doors", null),
            ($"/doors?key={key}&path=/api/v1/runs", "doors-key"),
            ("/doors/refused", null),
            ("/doors/refused?id=aud_none", null),
            ("/audit", null),
            ("/audit/" + refused, "why-refused"),
            ("/keys", null),
            ("/keys?tab=secrets", null),
            ("/keys?tab=services", null),
            ("/keys?tab=sessions", null),
            ("/keys?tab=tokens", null),
            ("/keys/" + key, "key"),
            ($"/keys/{key}/rotate", null),
            ($"/keys/{key}/revoke", null),
            ("/tokens/revoke?subject=ada&before=now", null)
        );
    }

    /// <summary>A question from the playground. Returns its id.</summary>
    private async Task<string> HeldQuestionAsync()
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "write:runs");
        var form = cookie.Form("agent=echo&title=May%20it%20open%20the%20door%3F&service=default&expires=days");
        var asked = await _server.ConsoleAsync(cookie, HttpMethod.Post, "/console/playground/decision/ask", form);
        return asked.Header("Location")!.Split("approval=")[1];
    }

    /// <summary>
    /// A trigger that is signed for, one that fires by a schedule, and a request of the first: its id.
    /// </summary>
    private async Task<string> CaptureAsync(string body)
    {
        var put = await _server.PostAsync(
            "/api/triggers/user/ada/issues",
            new
            {
                agent = "echo",
                promptTemplate = "Triage issue {{body.issue.number}}.",
                webhookAuth = new { scheme = "github", secret = SenderSecret },
                filter = new { body = new[] { new { path = "action", equals = "opened" } } },
            }
        );
        Assert.Equal(201, put.Status);
        put = await _server.PostAsync(
            "/api/triggers/user/ada/nightly",
            new
            {
                agent = "echo",
                promptTemplate = "Tidy up.",
                activationMode = "scheduled",
                cronExpression = "0 3 * * *",
                cronTimezone = "Europe/Berlin",
            }
        );
        Assert.Equal(201, put.Status);
        var taken = await _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/ada/issues?a[]=1",
            null,
            body,
            [Asking.Sign256(body, SenderSecret), ("X-GitHub-Event", "issues"), ("X-Note", "it's \"$HOME\" `id`")]
        );
        Assert.True(taken.Status == 200, taken.ToString());
        return taken.Json.GetProperty("data").GetProperty("requestId").GetString()!;
    }

    [Fact]
    public async Task A_copied_curl_runs_in_sh_and_answers_as_the_page_says()
    {
        await _server.StartSessionAsync("it's a \"name\" $HOME `id`");
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        var session = (await _server.GetAsync("/api/v1/sessions")).Json.GetProperty("data")[0].GetProperty("id");
        const string came = "{\"action\":\"opened\",\"text\":\"it's $HOME\\n\"}\n";
        var capture = await CaptureAsync(came);
        var page = await _browser.SignedInAsync();
        foreach (
            var (path, said) in ((string, string)[])
                [
                    // Byte for byte the original: without the redacted part it is a repeat of it.
                    ("/captures/" + capture, capture),
                    ("/triggers", "issues"),
                    ("/triggers/user/ada/issues", "issues"),
                    ("/triggers/user/ada/issues/change", "issues"),
                    ("/runs?agent=p", run),
                    ("/runs/" + run, run),
                    ("/sessions", session.GetString()!),
                    ("/sessions?name=it%27s%20a%20%22name%22%20%24HOME%20%60id%60&size=10", session.GetString()!),
                    ("/sessions?status=ACTIVE&tag=&text=name&older=", session.GetString()!),
                    ("/approvals?status=all&older=2h", "data"),
                    ("/deliveries?status=dead&text=x", "data"),
                    ($"/sessions/{session}?tab=facts", session.GetString()!),
                    ($"/sessions/{session}", "messages"),
                    ($"/runs/{run}/cancel", "cancelled"),
                ]
        )
        {
            await page.GotoAsync(_server.Url + "/console" + path);
            var command = await page.Locator("details.curl").Last.Locator("pre").First.TextContentAsync();
            Assert.DoesNotContain(_server.RootKey, await page.ContentAsync(), StringComparison.Ordinal);
            var start = new System.Diagnostics.ProcessStartInfo("/bin/sh", ["-c", command!])
            {
                RedirectStandardOutput = true,
                Environment =
                {
                    ["U"] = _server.Url,
                    ["KEY"] = _server.RootKey,
                    ["SECRET"] = Asking.Sign256(came, SenderSecret).Item2,
                },
            };
            using var shell = System.Diagnostics.Process.Start(start)!;
            var answer = await shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            Assert.True(answer.Contains(said, StringComparison.Ordinal), $"{path}: {command}\n{answer}");
        }
    }

    /// <summary>Names and texts that agents, webhooks and clients may choose.</summary>
    private static readonly string[] Hostile =
    [
        "</pre></title></textarea><script>document.title='taken'</script><img src=x "
            + "onerror=\"document.title='taken'\">",
        "javascript:document.title='taken'",
        "https://evil.example/\"onmouseover=\"document.title='taken'",
        "a\u202Eb\u2066c\u200Bd\u2028e",
        "<svg><use href=\"//evil.example/x.svg#a\"/></svg>{{constructor.constructor('alert(1)')()}}",
        new string('x', 200_000),
    ];

    [Fact]
    public async Task Hostile_text_is_shown_and_never_run()
    {
        var asking = await Asking.PrepareAsync(_server);
        var (run, _, _) = await asking.RunningAsync();
        await _server.PostAsync(
            $"/api/v1/runs/{run}/status",
            new
            {
                status = "failed",
                failure = new { code = "broken", message = string.Join('\n', Hostile.Take(5)) },
                output = Hostile,
            }
        );
        await _server.StartSessionAsync(Hostile[0]);
        await _server.StartSessionAsync("hostile");
        foreach (var text in Hostile)
            await _server.SayAsync("hostile", text);
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/sessions/hostile/transcript"))
                .Json.GetProperty("messages")
                .GetArrayLength() >= Hostile.Length
        );
        var session = (await _server.GetAsync("/api/v1/sessions/hostile")).String("id");
        var capture = await CaptureAsync(
            System.Text.Json.JsonSerializer.Serialize(new { action = "opened", issue = new { number = Hostile } })
        );
        var (key, _) = await _server.NamedKeyAsync(string.Join(' ', Hostile.Take(4))[..128], "read:runs");
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/hostile",
            _server.RootKey,
            new { secrets = new[] { "a secret of the service, long enough" }, agents = new[] { Hostile[0][..100] } }
        );
        await _server.PostAsync(
            "/api/triggers/user/ada/" + Uri.EscapeDataString(Hostile[3]),
            new
            {
                agent = "echo",
                promptTemplate = "x",
                webhookAuth = new { scheme = "github", secret = "a secret of nobody's at all" },
            }
        );
        await _server.PostAsync("/inbound/user/ada/" + Uri.EscapeDataString(Hostile[3]), new { }, "");
        var page = await _browser.SignedInAsync();
        var (said, asked) = (new List<string>(), new List<string>());
        page.Console += (_, message) => said.Add(message.Text);
        page.Request += (_, request) => asked.Add(request.Url);
        foreach (
            var path in (string[])
                [
                    "",
                    "/runs",
                    "/runs?agent=" + Uri.EscapeDataString(Hostile[0]),
                    "/runs/" + run,
                    "/triggers/user/ada/issues",
                    "/captures/" + capture,
                    "/playground?tab=webhook&trigger=user/ada/issues&from=" + capture,
                    "/sessions",
                    "/sessions/" + session,
                    $"/sessions/{session}?tab=records&channel=in",
                    "/find?q=" + Uri.EscapeDataString(Hostile[0]),
                    "/keys",
                    "/keys/" + key,
                    $"/keys/{key}/revoke",
                    "/keys?tab=services",
                    "/audit",
                    "/audit?action=inbound.refused",
                    "/doors?identity=" + Uri.EscapeDataString(Hostile[0]),
                    "/doors/refused?reason=" + Uri.EscapeDataString(Hostile[0]),
                    "/tokens/revoke?subject=" + Uri.EscapeDataString(Hostile[4]),
                ]
        )
        {
            Assert.Equal(200, (await page.GotoAsync(_server.Url + "/console" + path))!.Status);
            var text = await page.InnerTextAsync("main");
            Assert.NotEqual("taken", await page.TitleAsync());
            Assert.DoesNotContain(text, c => c is '\u202E' or '\u2066' or '\u200B');
            Assert.Equal(
                0,
                await page.Locator("main img, main script, main [onmouseover], main [onerror]").CountAsync()
            );
            Assert.Equal(0, await page.Locator("main a[href^='javascript']").CountAsync());
        }
        await page.GotoAsync($"{_server.Url}/console/sessions/{session}");
        Assert.Contains("a\\u{202e}b\\u{2066}c", await page.InnerTextAsync("main"), StringComparison.Ordinal);
        Assert.Empty(said);
        Assert.All(asked, url => Assert.StartsWith(_server.Url, url, StringComparison.Ordinal));
    }
}
