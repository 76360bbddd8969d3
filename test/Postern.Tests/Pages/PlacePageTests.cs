using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console: endpoints, agents and workflows are created, changed, shown and removed.</summary>
public sealed class PlacePageTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task<ConsoleCookie> CookieAsync(params string[] scopes) =>
        (await ConsoleCookie.OfAsync(_server, scopes)).Cookie;

    private Task<Answer> OpenAsync(ConsoleCookie cookie, string path) =>
        _server.ConsoleAsync(cookie, HttpMethod.Get, "/console" + path);

    private Task<Answer> SendAsync(ConsoleCookie cookie, string path, string fields = "", string? once = null) =>
        _server.ConsoleAsync(cookie, HttpMethod.Post, "/console" + path, cookie.Form(fields, once));

    [Fact]
    public async Task An_agent_whose_calls_fail_shows_the_last_answer_before_it_is_given_up()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = n => n == 1 ? (202, "") : (503, "the model is loading now");
        var agent = new { kind = "http", url = receiver.Url };
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/late", _server.RootKey, agent);
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "read:tasks");
        Assert.DoesNotContain(
            "The last call",
            (await OpenAsync(cookie, "/agents/late")).Text,
            StringComparison.Ordinal
        );
        await _server.PostAsync("/api/v1/runs", new { agent = "late" });
        await WaitFor.TrueAsync(async () => (await OpenAsync(cookie, "/agents/late")).Text.Contains("answered 202"));
        await _server.PostAsync("/api/v1/runs", new { agent = "late" });
        await WaitFor.TrueAsync(async () =>
            (await OpenAsync(cookie, "/agents/late")).Text.Contains("answered 503: the model is loading now")
        );
    }

    [Fact]
    public async Task An_endpoint_is_made_with_a_secret_that_is_shown_once_tested_switched_and_removed()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (200, "");
        var cookie = await CookieAsync("read:deliveries", "write:deliveries");
        var fields = $"id=orders&url={Uri.EscapeDataString(receiver.Url)}&events=run.*&ordered=1&enabled=1";
        var made = await SendAsync(cookie, "/endpoints", fields, "0123456789abcdef");
        Assert.Equal(200, made.Status);
        Assert.Contains("whsec_", made.Text, StringComparison.Ordinal);
        // The same form again has no second effect, and shows no secret.
        var twice = await SendAsync(cookie, "/endpoints", fields, "0123456789abcdef");
        Assert.Equal((303, "/console/endpoints/orders"), (twice.Status, twice.Header("Location")));
        Assert.DoesNotContain("whsec_", twice.Text, StringComparison.Ordinal);
        Assert.Equal(409, (await SendAsync(cookie, "/endpoints", fields)).Status);

        var test = await SendAsync(cookie, "/endpoints/orders/test");
        Assert.StartsWith("/console/deliveries/dlv_", test.Header("Location"), StringComparison.Ordinal);
        await receiver.OfTypeAsync("endpoint.test");
        await WaitFor.TrueAsync(async () =>
            (await OpenAsync(cookie, "/endpoints/orders")).Text.Contains("1 delivered, 0 dead (100 %)")
        );
        var page = await OpenAsync(cookie, "/endpoints/orders");
        Assert.Contains("</svg>active", page.Text, StringComparison.Ordinal);
        await _server.Database.WriteAsync(async tx =>
            await tx.ExecuteAsync("UPDATE webhook_endpoint SET failing_since = 1 WHERE id = $1", "orders")
        );
        Assert.Contains("</svg>failing", (await OpenAsync(cookie, "/endpoints")).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("whsec_0", page.Text, StringComparison.Ordinal);
        Assert.Equal(303, (await SendAsync(cookie, "/endpoints/orders/disable")).Status);
        Assert.False((await ReadAsync()).GetProperty("enabled").GetBoolean());
        Assert.Equal(409, (await SendAsync(cookie, "/endpoints/orders/test")).Status);
        Assert.Equal(303, (await SendAsync(cookie, "/endpoints/orders/enable")).Status);
        Assert.True((await ReadAsync()).GetProperty("enabled").GetBoolean());

        var rotated = await SendAsync(cookie, "/endpoints/orders/rotate");
        Assert.Equal(200, rotated.Status);
        Assert.Contains("whsec_", rotated.Text, StringComparison.Ordinal);
        Assert.NotEqual(
            System.Text.Json.JsonValueKind.Null,
            (await ReadAsync()).GetProperty("previousSecretValidUntil").ValueKind
        );
        var changed = await SendAsync(
            cookie,
            "/endpoints/orders/change",
            $"url={Uri.EscapeDataString(receiver.Url)}&events=run.failed,session.*&rateLimit=5&enabled=1"
        );
        Assert.Equal(303, changed.Status);
        Assert.Equal(5, (await ReadAsync()).GetProperty("rateLimit").GetInt32());
        Assert.Equal(303, (await SendAsync(cookie, "/endpoints/orders/delete")).Status);
        Assert.Equal(404, (await OpenAsync(cookie, "/endpoints/orders")).Status);

        async Task<System.Text.Json.JsonElement> ReadAsync() =>
            (await _server.GetAsync("/api/v1/webhook-endpoints/orders")).Json;
    }

    [Fact]
    public async Task An_agent_is_registered_shows_its_places_and_last_answer_and_is_removed_with_its_runs()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (418, "<b>no</b> tea");
        var cookie = await CookieAsync("read:tasks", "admin:tasks", "read:deliveries");
        var made = await SendAsync(
            cookie,
            "/agents",
            $"slug=brewer&kind=http&url={Uri.EscapeDataString(receiver.Url)}&concurrency=3&turnSeconds=60"
        );
        Assert.Equal(200, made.Status);
        Assert.Contains("whsec_", made.Text, StringComparison.Ordinal);
        Assert.Equal(409, (await SendAsync(cookie, "/agents", "slug=brewer&kind=pull")).Status);
        await _server.PostAsync("/api/v1/runs", new { agent = "brewer" });
        await WaitFor.TrueAsync(async () => (await OpenAsync(cookie, "/agents/brewer")).Text.Contains("answered 418"));
        var page = await OpenAsync(cookie, "/agents/brewer");
        Assert.Contains("0 of 3 taken", page.Text, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;no&lt;/b&gt; tea", page.Text, StringComparison.Ordinal);

        var claims = await SendAsync(cookie, "/agents/brewer/change", "kind=pull");
        Assert.Equal(303, claims.Status);
        Assert.Equal("pull", (await _server.GetAsync("/api/v1/agents/brewer")).String("kind"));
        var live = (await _server.PostAsync("/api/v1/runs", new { agent = "brewer" })).String("id");
        var ask = await OpenAsync(cookie, "/agents/brewer/delete");
        Assert.Contains("1 live runs: they fail", ask.Text, StringComparison.Ordinal);
        // A page that showed none causes no failure.
        Assert.Equal(409, (await SendAsync(cookie, "/agents/brewer/delete")).Status);
        var removed = await SendAsync(cookie, "/agents/brewer/delete", "force=1");
        Assert.Equal((303, "/console/agents"), (removed.Status, removed.Header("Location")));
        Assert.Equal("failed", (await _server.GetAsync("/api/v1/runs/" + live)).String("phase"));
    }

    [Fact]
    public async Task A_workflow_is_drawn_and_all_faults_of_another_are_told_at_once()
    {
        var cookie = await CookieAsync("admin");
        var definition = """
            {"initial":"A<b>","states":{"A<b>":{"phase":"queued","to":["B","C"]},
             "B":{"phase":"running","to":["A<b>","C"],"self":true},"C":{"phase":"succeeded","to":[]}}}
            """;
        var put = await SendAsync(cookie, "/workflows", "name=house&definition=" + Uri.EscapeDataString(definition));
        Assert.True(put.Status is 303 or 400, put.ToString());
        definition = definition.Replace("A<b>", "DRAFT", StringComparison.Ordinal);
        put = await SendAsync(cookie, "/workflows", "name=house&definition=" + Uri.EscapeDataString(definition));
        Assert.Equal((303, "/console/workflows/house"), (put.Status, put.Header("Location")));
        var page = await OpenAsync(cookie, "/workflows/house");
        Assert.Contains("<svg class=\"machine\"", page.Text, StringComparison.Ordinal);
        Assert.Equal(5, page.Text.Split("class=\"move\"").Length);
        Assert.Contains(">DRAFT</text>", page.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await OpenAsync(cookie, "/workflows/agent")).Status);

        var wrong = """{"initial":"X","states":{"A":{"phase":"odd","to":["Y"]},"B":{"phase":"running","to":"A"}}}""";
        var refused = await SendAsync(cookie, "/workflows", "name=.&definition=" + Uri.EscapeDataString(wrong));
        Assert.Equal(400, refused.Status);
        foreach (var named in (string[])["workflow", "phase", "to"])
            Assert.Contains(named, refused.Text, StringComparison.Ordinal);
        Assert.Equal(400, (await SendAsync(cookie, "/workflows", "name=x&definition=%7B")).Status);
        Assert.Equal(400, (await SendAsync(cookie, "/workflows", "name=x&definition=1")).Status);
        var builtIn = await SendAsync(
            cookie,
            "/workflows",
            "name=agent&definition=" + Uri.EscapeDataString(definition)
        );
        Assert.Equal(409, builtIn.Status);
    }

    [Fact]
    public async Task A_reader_changes_nothing_and_a_right_on_one_agent_shows_no_list()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/one", _server.RootKey, new { kind = "pull" });
        var reader = await CookieAsync("read:tasks:one", "read:deliveries", "read:runs");
        var page = await OpenAsync(reader, "/agents/one");
        Assert.Equal(200, page.Status);
        Assert.DoesNotContain("/change\"", page.Text, StringComparison.Ordinal);
        Assert.Equal(
            (403, 404),
            ((await OpenAsync(reader, "/agents")).Status, (await OpenAsync(reader, "/agents/echo")).Status)
        );
        foreach (
            var (path, fields) in ((string, string)[])
                [
                    ("/agents", "slug=two&kind=pull"),
                    ("/agents/one/change", "kind=echo"),
                    ("/agents/one/delete", ""),
                    ("/endpoints", "id=a&url=https://example.com&events=run.*"),
                    ("/workflows", "name=x&definition=%7B%7D"),
                ]
        )
            Assert.True((await SendAsync(reader, path, fields)).Status == 403, path);
        var other = await CookieAsync("admin:tasks:two");
        Assert.Equal(404, (await SendAsync(other, "/agents/one/change", "kind=echo")).Status);
        Assert.Equal("pull", (await _server.GetAsync("/api/v1/agents/one")).String("kind"));
    }

    [Theory]
    [InlineData("/endpoints", "id=a b&url=https://example.com/&events=run.*", "endpoint")]
    [InlineData("/endpoints", "id=a&url=ftp://example.com/&events=run.*", "url")]
    [InlineData("/endpoints", "id=a&url=http://169.254.169.254/&events=run.*", "url")]
    [InlineData("/endpoints", "id=a&url=https://user:pass@example.com/&events=run.*", "url")]
    [InlineData("/endpoints", "id=a&url=https://example.com/&events=none.such", "events")]
    [InlineData("/endpoints", "id=a&url=https://example.com/&events=run.*&secret=short", "secret")]
    [InlineData("/endpoints", "id=a&url=https://example.com/&events=run.*&rateLimit=fast", "rateLimit")]
    [InlineData("/agents", "slug=.&kind=pull", "slug")]
    [InlineData("/agents", "slug=a&kind=robot", "kind")]
    [InlineData("/agents", "slug=a&kind=http", "url")]
    [InlineData("/agents", "slug=a&kind=pull&url=https://example.com/", "url")]
    [InlineData("/agents", "slug=a&kind=pull&concurrency=0", "concurrency")]
    [InlineData("/agents", "slug=a&kind=pull&maxTries=99", "maxTries")]
    public async Task A_fault_is_named_and_nothing_is_written(string path, string fields, string named)
    {
        var cookie = await CookieAsync("admin");
        var rows = await _server.CountRowsAsync();
        var page = await SendAsync(cookie, path, fields.Replace(" ", "+", StringComparison.Ordinal));
        Assert.Equal(400, page.Status);
        Assert.Contains(named, page.Text, StringComparison.Ordinal);
        Assert.Equal(rows, await _server.CountRowsAsync());
    }
}
