using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console: triggers are created, changed, paused and removed, and their captures are shown.</summary>
public sealed class TriggerPageTests : IAsyncLifetime
{
    private const string Secret = "a secret of the sender, long enough";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task<ConsoleCookie> CookieAsync(params string[] scopes) =>
        (await ConsoleCookie.OfAsync(_server, scopes)).Cookie;

    private Task<Answer> OpenAsync(ConsoleCookie cookie, string path) =>
        _server.ConsoleAsync(cookie, HttpMethod.Get, "/console" + path);

    private async Task<string> CaptureAsync(string path, string body, params (string, string)[] headers)
    {
        var taken = await _server.SendAsync(HttpMethod.Post, "/inbound/" + path, null, body, headers);
        Assert.True(taken.Status == 200, taken.ToString());
        return taken.Json.GetProperty("data").GetProperty("requestId").GetString()!;
    }

    private async Task PutAsync(string path, object? body = null) =>
        Assert.Equal(
            201,
            (
                await _server.PostAsync(
                    "/api/triggers/" + path,
                    body ?? new { agent = "echo", promptTemplate = "Say {{body.text}}." }
                )
            ).Status
        );

    [Fact]
    public async Task A_trigger_is_made_changed_paused_and_removed()
    {
        var cookie = await CookieAsync("read:triggers", "write:triggers", "read:tasks");
        var form = await OpenAsync(cookie, "/triggers/new");
        Assert.Contains("<option value=\"echo\">", form.Text, StringComparison.Ordinal);
        var made = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console/triggers",
            ConsoleCalls.FormOf(
                form,
                "/console/triggers",
                "kind=user&owner=a%2Fb&id=deploys&agent=echo&activationMode=webhook&promptTemplate=Say+it."
                    + "&scheme=github"
                    + $"&secret={Uri.EscapeDataString(Secret)}&maxInFlight=7"
            )
        );
        Assert.Equal((303, "/console/triggers/user/o-YS9i/deploys"), (made.Status, made.Header("Location")));
        var path = made.Header("Location")!["/console".Length..];
        var page = await OpenAsync(cookie, path);
        Assert.Contains(_server.Url + "/inbound/user/o-YS9i/deploys", page.Text, StringComparison.Ordinal);
        Assert.Contains("0 of 7 taken", page.Text, StringComparison.Ordinal);
        Assert.Contains("Secret changed", page.Text, StringComparison.Ordinal);
        var signed = Asking.Sign256("{}", Secret);
        await CaptureAsync("user/o-YS9i/deploys", "{}", signed);

        // The secret stays when something else changes, and is on no page.
        var change = await OpenAsync(cookie, path + "/change");
        Assert.DoesNotContain(Secret, page.Text + change.Text, StringComparison.Ordinal);
        var changed = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console" + path + "/change",
            ConsoleCalls.FormOf(change, "/change", "promptTemplate=Say+{{body}}&scheme=github&rateLimit=90")
        );
        Assert.Equal(303, changed.Status);
        var read = (await _server.GetAsync("/api/triggers/user/o-YS9i/deploys")).Json.GetProperty("data");
        Assert.Equal(("Say {{body}}", 90), (read.GetProperty("promptTemplate").GetString(), Number(read, "rateLimit")));
        await CaptureAsync("user/o-YS9i/deploys", "{\"a\":1}", Asking.Sign256("{\"a\":1}", Secret));

        var paused = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console" + path + "/pause",
            ConsoleCalls.FormOf(await OpenAsync(cookie, path), "/pause", "")
        );
        Assert.Equal(303, paused.Status);
        var late = await _server.SendAsync(
            HttpMethod.Post,
            "/inbound" + path["/triggers".Length..],
            null,
            "{}",
            signed
        );
        Assert.Equal(404, late.Status);
        var resumed = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console" + path + "/resume",
            ConsoleCalls.FormOf(await OpenAsync(cookie, path), "/resume", "")
        );
        Assert.Equal(303, resumed.Status);

        var ask = await OpenAsync(cookie, path + "/delete");
        var gone = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console" + path + "/delete",
            ConsoleCalls.FormOf(ask, "/delete", "")
        );
        Assert.Equal((303, "/console/triggers"), (gone.Status, gone.Header("Location")));
        Assert.Equal(404, (await OpenAsync(cookie, path)).Status);
        await WaitFor.TrueAsync(async () =>
        {
            var rows = (await _server.GetAsync("/api/v1/audit")).Json.GetProperty("data").EnumerateArray().ToList();
            return ((string[])["trigger.put", "trigger.changed", "trigger.deleted"]).All(action =>
                rows.Any(r =>
                    r.GetProperty("action").GetString() == action
                    && r.GetProperty("credential").GetString() == "console"
                )
            );
        });
    }

    [Fact]
    public async Task A_capture_shows_what_came_and_is_replayed_as_it_came_or_with_another_body()
    {
        await PutAsync("user/ada/hello");
        var cookie = await CookieAsync("read:triggers", "trigger:triggers");
        var id = await CaptureAsync(
            "user/ada/hello?token=hidden&n=1",
            "{\"text\":\"<b>it</b>\u202E\"}",
            ("X-Api-Key", "a key of somebody"),
            ("X-Note", "plain")
        );
        var page = await OpenAsync(cookie, "/captures/" + id);
        Assert.Equal(200, page.Status);
        foreach (
            var shown in (string[])
                ["Say &lt;b&gt;it&lt;/b&gt;\\u{202e}.", "[REDACTED]", "plain", "not required", "accepted it"]
        )
            Assert.Contains(shown, page.Text, StringComparison.Ordinal);
        foreach (var hidden in (string[])["<b>it", "\u202E", "a key of somebody", "token=hidden"])
            Assert.DoesNotContain(hidden, page.Text, StringComparison.Ordinal);

        var action = $"/console/captures/{id}/replay";
        var form = ConsoleCalls.FormOf(page, "/replay", "");
        var again = await _server.ConsoleAsync(cookie, HttpMethod.Post, action, form);
        Assert.Equal(303, again.Status);
        // The same form once more has no second effect.
        var twice = await _server.ConsoleAsync(cookie, HttpMethod.Post, action, form);
        Assert.Equal(again.Header("Location"), twice.Header("Location"));
        var replayed = await OpenAsync(cookie, again.Header("Location")!["/console".Length..]);
        Assert.Matches("<dt>Source</dt>\\s*<dd>\\s*replay\\s*</dd>", replayed.Text);
        Assert.Contains("Say &lt;b&gt;it", replayed.Text, StringComparison.Ordinal);

        var other = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            action,
            cookie.Form("other=1&body=" + Uri.EscapeDataString("{\"text\":\"that\"}"))
        );
        var changed = await OpenAsync(cookie, other.Header("Location")!["/console".Length..]);
        Assert.Contains("Say that.", changed.Text, StringComparison.Ordinal);
        var list = await _server.GetAsync("/api/triggers/user/ada/hello/requests");
        Assert.Equal(3, list.Json.GetProperty("data").GetProperty("requests").GetArrayLength());
    }

    [Fact]
    public async Task The_api_replays_with_another_body_too_and_refuses_what_is_none()
    {
        await PutAsync("user/ada/hello");
        var path =
            $"/api/triggers/user/ada/hello/requests/{await CaptureAsync("user/ada/hello", "{\"text\":1}")}/replay";
        var taken = await _server.PostAsync(path, new { body = "{\"text\":\"other\"}" });
        Assert.Equal(202, taken.Status);
        var id = taken.Json.GetProperty("data").GetProperty("requestId").GetString();
        var read = await _server.GetAsync("/api/triggers/user/ada/hello/requests/" + id);
        Assert.Equal("{\"text\":\"other\"}", read.Json.GetProperty("data").GetProperty("body").GetString());
        foreach (
            var (body, named) in ((object, string)[])
                [
                    (new { body = 1 }, "body"),
                    (new { other = "x" }, "other"),
                    (new { body = new string('é', 200_000) }, "body"),
                ]
        )
        {
            var refused = await _server.PostAsync(path, body);
            Assert.Equal(400, refused.Status);
            Assert.Contains(named, refused.Text, StringComparison.Ordinal);
        }
        var list = await _server.GetAsync("/api/triggers/user/ada/hello/requests");
        Assert.Equal(2, list.Json.GetProperty("data").GetProperty("requests").GetArrayLength());
    }

    [Fact]
    public async Task A_right_on_one_trigger_opens_its_page_and_its_captures_alone()
    {
        await PutAsync("user/ada/hello");
        await PutAsync("user/ada/other");
        var (mine, other) = (await CaptureAsync("user/ada/hello", "{}"), await CaptureAsync("user/ada/other", "{}"));
        var narrow = await CookieAsync("read:triggers:user/ada/hello");
        var page = await OpenAsync(narrow, "/triggers/user/ada/hello");
        Assert.Equal(200, page.Status);
        Assert.DoesNotContain("/pause\"", page.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await OpenAsync(narrow, "/captures/" + mine)).Status);
        Assert.Equal(403, (await OpenAsync(narrow, "/triggers")).Status);
        var nothing = await OpenAsync(narrow, "/captures/none");
        foreach (var path in (string[])["/triggers/user/ada/other", "/captures/" + other, "/triggers/team/ada/hello"])
        {
            var hidden = await OpenAsync(narrow, path);
            Assert.Equal((404, nothing.Text), (hidden.Status, hidden.Text));
        }
        foreach (
            var (text, found) in ((string, string?)[])
                [
                    ("user/ada/hello", "/triggers/user/ada/hello"),
                    (mine, "/captures/" + mine),
                    (other, null),
                    ("user/ada/other", null),
                ]
        )
        {
            var find = await OpenAsync(narrow, "/find?q=" + Uri.EscapeDataString(text));
            Assert.Equal(found is null ? null : "/console" + found, find.Header("Location"));
        }
        await _server.SettledAsync();
        await Task.WhenAll(EndedAsync(mine, "hello"), EndedAsync(other, "other"));
        var rows = await _server.CountRowsAsync();
        foreach (
            var path in (string[])
                [
                    "/triggers/user/ada/hello/pause",
                    "/triggers/user/ada/hello/change",
                    "/triggers/user/ada/hello/delete",
                    "/triggers/user/ada/hello/invoke",
                    $"/captures/{mine}/replay",
                ]
        )
        {
            var refused = await _server.ConsoleAsync(narrow, HttpMethod.Post, "/console" + path, narrow.Form());
            Assert.True(refused.Status == 403, $"{path}: {refused.Status}");
            // Without the token of the session nothing is read.
            var foreign = await _server.ConsoleAsync(
                narrow,
                HttpMethod.Post,
                "/console" + path,
                "_once=0123456789abcdef"
            );
            Assert.Equal(403, foreign.Status);
        }
        var hiddenReplay = await _server.ConsoleAsync(
            narrow,
            HttpMethod.Post,
            $"/console/captures/{other}/replay",
            narrow.Form()
        );
        Assert.Equal(404, hiddenReplay.Status);
        await _server.SettledAsync();
        Assert.Equal(rows, await _server.CountRowsAsync());
    }

    [Theory]
    [InlineData("kind=team&owner=a&id=b&promptTemplate=x", "kind")]
    [InlineData("kind=user&owner=&id=b&promptTemplate=x", "owner")]
    [InlineData("kind=user&owner=a&id=&promptTemplate=x", "id")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=", "promptTemplate")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=x&agent=nobody", "agent")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=x&maxInFlight=many", "maxInFlight")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=x&filter=%7B", "filter")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=x&scheme=github&secret=short", "webhookAuth.secret")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=x&activationMode=scheduled", "cronExpression")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=x&methods=BREW", "methods")]
    [InlineData("kind=user&owner=a&id=b&promptTemplate=x&surprise=1", "surprise")]
    [InlineData("kind=user&kind=org&owner=a&id=b&promptTemplate=x", "kind")]
    public async Task A_fault_of_a_form_is_named_and_nothing_is_written(string fields, string named)
    {
        var cookie = await CookieAsync("read:triggers", "write:triggers");
        var rows = await _server.CountRowsAsync();
        var page = await _server.ConsoleAsync(cookie, HttpMethod.Post, "/console/triggers", cookie.Form(fields));
        Assert.Equal(400, page.Status);
        Assert.Contains(named, page.Text, StringComparison.Ordinal);
        // The form shows again what was typed, except the secret.
        Assert.DoesNotContain(
            ">short<",
            page.Text.Replace("\n", "", StringComparison.Ordinal),
            StringComparison.Ordinal
        );
        Assert.Equal(rows, await _server.CountRowsAsync());
    }

    [Fact]
    public async Task Making_a_trigger_does_not_replace_another_and_runs_name_their_trigger()
    {
        await PutAsync("user/ada/hello");
        var cookie = await CookieAsync("read:triggers", "write:triggers", "read:runs");
        var taken = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console/triggers",
            cookie.Form("kind=user&owner=ada&id=hello&promptTemplate=other&agent=echo")
        );
        Assert.Equal(409, taken.Status);
        await CaptureAsync("user/ada/hello", "{\"text\":\"x\"}");
        var runs = await _server.GetAsync("/api/v1/runs?trigger=user/ada/hello");
        Assert.Equal(1, runs.Json.GetProperty("data").GetArrayLength());
        var page = await OpenAsync(cookie, "/runs?trigger=user/ada/hello");
        Assert.Contains("/console/triggers/user/ada/hello", page.Text, StringComparison.Ordinal);
    }

    private Task EndedAsync(string capture, string trigger) =>
        WaitFor.TrueAsync(async () =>
            (await _server.GetAsync($"/api/triggers/user/ada/{trigger}/requests/{capture}"))
                .Json.GetProperty("data")
                .GetProperty("processStatus")
                .GetString() == "success"
        );

    private static int Number(System.Text.Json.JsonElement json, string name) => json.GetProperty(name).GetInt32();
}
