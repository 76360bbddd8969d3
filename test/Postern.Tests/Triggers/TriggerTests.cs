using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>Triggers are created, changed and removed.</summary>
public sealed class TriggerTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private Task<Answer> PutAsync(string path, object body) =>
        _server.SendAsync(HttpMethod.Put, "/api/triggers/" + path, _server.RootKey, body);

    [Fact]
    public async Task A_trigger_is_made_read_changed_and_removed_in_the_words_of_its_family()
    {
        var made = await _server.PostAsync(
            "/api/triggers/user/u-1/t-1",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                webhookAuth = new { header = "X-Secret", secret = "the-secret" },
                mode = "code",
            }
        );
        Assert.Equal(
            (
                201,
                "{\"success\":true,\"data\":{\"triggerId\":\"t-1\",\"namespace\":\"user/u-1\",\"message\":\"Trigger "
                    + "created successfully\",\"inboundUrl\":\"/inbound/user/u-1/t-1\"}}"
            ),
            (made.Status, made.Text)
        );
        var read = await _server.GetAsync("/api/triggers/user/u-1/t-1");
        Assert.DoesNotContain("the-secret", read.Text, StringComparison.Ordinal);
        var data = read.Json.GetProperty("data");
        Assert.Equal(
            (true, "X-Secret", true, "code"),
            (
                data.GetProperty("webhookAuthConfigured").GetBoolean(),
                data.GetProperty("webhookAuthHeader").GetString(),
                data.GetProperty("isActive").GetBoolean(),
                data.GetProperty("settings").GetProperty("mode").GetString()
            )
        );
        Assert.Equal(404, (await _server.GetAsync("/api/triggers/org/u-1/t-1")).Status);

        Assert.Equal((400, "No updates provided"), await ErrorAsync(PutAsync("user/u-1/t-1", "{}")));
        Assert.Equal(
            (400, "Webhook auth requires both header and secret"),
            await ErrorAsync(PutAsync("user/u-1/t-1", "{\"webhookAuth\":{\"header\":null}}"))
        );
        Assert.Equal(
            (400, "Webhook auth requires both header and secret"),
            await ErrorAsync(PutAsync("user/u-1/t-1", "{\"webhookAuth\":{\"secret\":null}}"))
        );
        Assert.Contains(
            "agent cannot be changed",
            (await ErrorAsync(PutAsync("user/u-1/t-1", new { agent = "echo" }))).Text,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "activationMode cannot be changed",
            (await ErrorAsync(PutAsync("user/u-1/t-1", new { activationMode = "scheduled" }))).Text,
            StringComparison.Ordinal
        );
        var changed = await PutAsync(
            "user/u-1/t-1",
            "{\"webhookAuth\":null,\"maxInFlight\":5,\"mode\":null,\"model\":\"m\"}"
        );
        data = changed.Json.GetProperty("data");
        Assert.Equal(
            (200, false, 5, "x", "{\"model\":\"m\"}"),
            (
                changed.Status,
                data.GetProperty("webhookAuthConfigured").GetBoolean(),
                data.GetProperty("maxInFlight").GetInt32(),
                data.GetProperty("promptTemplate").GetString(),
                data.GetProperty("settings").GetRawText()
            )
        );

        await PutAsync("user/u-1/t-1", new { isActive = false });
        var deleted = await _server.SendAsync(HttpMethod.Delete, "/api/triggers/user/u-1/t-1", _server.RootKey);
        Assert.Equal(
            (200, "{\"success\":true,\"data\":{\"message\":\"Trigger deleted successfully\"}}"),
            (deleted.Status, deleted.Text)
        );
        Assert.Equal((404, "Trigger not found"), await ErrorAsync(_server.GetAsync("/api/triggers/user/u-1/t-1")));
    }

    [Fact]
    public async Task Making_it_again_replaces_the_configuration_and_keeps_the_captures_until_it_is_removed()
    {
        await _server.PostAsync(
            "/api/triggers/org/o/t",
            new
            {
                agent = "idle",
                promptTemplate = "one",
                maxInFlight = 3,
            }
        );
        await _server.SendAsync(HttpMethod.Post, "/inbound/org/o/t", null, "{}");
        await _server.PostAsync("/api/triggers/org/o/t", new { agent = "idle", promptTemplate = "two" });
        var data = (await _server.GetAsync("/api/triggers/org/o/t")).Json.GetProperty("data");
        Assert.Equal(
            ("two", 20, 1),
            (
                data.GetProperty("promptTemplate").GetString(),
                data.GetProperty("maxInFlight").GetInt32(),
                data.GetProperty("inFlight").GetInt32()
            )
        );
        Assert.Equal(1, await CountAsync());
        await _server.SendAsync(HttpMethod.Delete, "/api/triggers/org/o/t", _server.RootKey);
        await _server.PostAsync("/api/triggers/org/o/t", new { agent = "idle", promptTemplate = "three" });
        Assert.Equal(0, await CountAsync());
        // The run of the removed trigger continues, and its end causes no fault.
        var run = (await _server.GetAsync("/api/v1/runs?agent=idle"))
            .Json.GetProperty("data")[0]
            .GetProperty("id")
            .GetString();
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{run}/cancel", null)).Status);

        async Task<int> CountAsync() =>
            (await _server.GetAsync("/api/triggers/org/o/t/requests"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .GetArrayLength();
    }

    [Theory]
    [InlineData("team/one", "o-dGVhbS9vbmU")]
    [InlineData("o-literal", "o-by1saXRlcmFs")]
    [InlineData("grüße", "gr%C3%BC%C3%9Fe")]
    [InlineData("a b", "a%20b")]
    public async Task An_owner_with_a_slash_travels_encoded_and_is_one_owner(string owner, string encoded)
    {
        var made = await _server.PostAsync(
            $"/api/triggers/user/{encoded}/t",
            new { agent = "idle", promptTemplate = "x" }
        );
        Assert.Equal(
            (201, "user/" + owner, $"/inbound/user/{encoded}/t"),
            (
                made.Status,
                made.Json.GetProperty("data").GetProperty("namespace").GetString(),
                made.Json.GetProperty("data").GetProperty("inboundUrl").GetString()
            )
        );
        Assert.Equal(200, (await _server.SendAsync(HttpMethod.Post, $"/inbound/user/{encoded}/t", null, "{}")).Status);
        Assert.Equal(404, (await _server.GetAsync("/api/triggers/user/o-!!/t")).Status);
        Assert.Equal(404, (await _server.GetAsync("/api/triggers/user/o-/t")).Status);
    }

    [Theory]
    [InlineData("{}", "promptTemplate is required")]
    [InlineData("{\"promptTemplate\":\"\"}", "promptTemplate must not be empty")]
    [InlineData("{\"promptTemplate\":\"x\",\"agent\":\"nobody\"}", "agent nobody is not registered")]
    [InlineData("{\"promptTemplate\":\"x\",\"sessionMode\":\"byKey\"}", "sessionKey is required")]
    [InlineData("{\"promptTemplate\":\"x\",\"sessionMode\":\"often\"}", "sessionMode must be one of")]
    [InlineData("{\"promptTemplate\":\"x\",\"maxInFlight\":1001}", "maxInFlight must be")]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"webhookAuth\":{\"scheme\":\"magic\",\"secret\":\"x\"}}",
        "webhookAuth.scheme must be one of"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"webhookAuth\":{\"scheme\":\"standard\",\"secret\":\"x\"}}",
        "webhookAuth.secret must be whsec_"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"webhookAuth\":{\"scheme\":\"github\",\"secret\":\"\"}}",
        "Webhook auth requires both header and secret"
    )]
    [InlineData("{\"promptTemplate\":\"x\",\"filter\":{\"headers\":{\"a\":\"b\"}}}", "filter.headers.a must be a list")]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\"}]}}",
        "filter.body[0] must have exactly one of"
    )]
    [InlineData("{\"promptTemplate\":\"x\",\"filter\":{\"body\":{}}}", "filter.body must be a list")]
    [InlineData("{\"promptTemplate\":\"x\",\"filter\":{\"body\":[5]}}", "filter.body[0] must be an object")]
    [InlineData("{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"equals\":1}]}}", "filter.body[0].path must be")]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a[\",\"equals\":1}]}}",
        "filter.body[0].path is no path"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"equals\":1,\"in\":[1]}]}}",
        "filter.body[0] must have exactly one of"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"equal\":1}]}}",
        "filter.body[0].equal is not a known field"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"in\":1}]}}",
        "filter.body[0].in must be a list"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"exists\":1}]}}",
        "filter.body[0].exists must be true or false"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"startsWith\":1}]}}",
        "filter.body[0].startsWith must be a text"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"matches\":\"(\"}]}}",
        "filter.body[0].matches is no regular expression"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"matches\":\"(?=a)\"}]}}",
        "filter.body[0].matches is too large, or looks"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"matches\":\"(a{500}){500}\"}]}}",
        "filter.body[0].matches is too large, or looks"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"body\":[{\"path\":\"a\",\"equals\":\"\\ud83d\"}]}}",
        "filter.body[0].equals must be Unicode text"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"headers\":{\"a\":{\"notEquals\":1}}}}",
        "filter.headers.a.notEquals must be a text"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"filter\":{\"headers\":[{\"name\":\"a\"}]}}",
        "filter.headers[0] must have exactly one of"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"deliveryIdHeader\":\"a b\"}",
        "deliveryIdHeader must be the name of a header"
    )]
    [InlineData("{\"promptTemplate\":\"x\",\"methods\":[\"TRACE\"]}", "methods holds TRACE")]
    [InlineData("{\"promptTemplate\":\"x\",\"activationMode\":\"scheduled\"}", "cronExpression is required")]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"activationMode\":\"scheduled\",\"cronExpression\":\"* * * *\"}",
        "cronExpression must have five fields"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"activationMode\":\"scheduled\",\"cronExpression\":\"61 * * * *\"}",
        "cronExpression is no cron expression"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"activationMode\":\"scheduled\",\"cronExpression\":\"0 0 30 2 *\"}",
        "cronExpression never occurs"
    )]
    [InlineData(
        "{\"promptTemplate\":\"x\",\"activationMode\":\"scheduled\",\"cronExpression\":\"* * * * *\","
            + "\"cronTimezone\":\"Mars/Olympus\"}",
        "cronTimezone must be an IANA"
    )]
    [InlineData("{\"promptTemplate\":\"x\",\"model\":\"\\ud800\"}", "model holds text")]
    public async Task A_configuration_at_fault_names_its_fields_and_nothing_is_written(string body, string says)
    {
        var answer = await _server.PostAsync("/api/triggers/user/u/t", body);
        Assert.Equal(400, answer.Status);
        Assert.Contains(says, answer.String("error"), StringComparison.Ordinal);
        Assert.Equal(404, (await _server.GetAsync("/api/triggers/user/u/t")).Status);
    }

    [Fact]
    public async Task Scopes_name_a_trigger_and_the_internal_header_carries_a_key()
    {
        await _server.PostAsync("/api/triggers/user/u/t", new { agent = "idle", promptTemplate = "x" });
        var key = await _server.KeyAsync("read:triggers:user/u/t");
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Get,
                    "/api/triggers/user/u/t",
                    null,
                    null,
                    ("X-Internal-API-Key", key)
                )
            ).Status
        );
        Assert.Equal(404, (await _server.GetAsync("/api/triggers/user/u/other", key)).Status);
        Assert.Equal(403, (await _server.SendAsync(HttpMethod.Delete, "/api/triggers/user/u/t", key)).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/triggers", key)).Status);
        Assert.Equal(
            401,
            (
                await _server.SendAsync(
                    HttpMethod.Get,
                    "/api/triggers/user/u/t",
                    null,
                    null,
                    ("X-Internal-API-Key", key + "x")
                )
            ).Status
        );
        Assert.Equal(
            400,
            (
                await _server.SendAsync(
                    HttpMethod.Get,
                    "/api/triggers/user/u/t",
                    _server.RootKey,
                    null,
                    ("X-Internal-API-Key", key)
                )
            ).Status
        );
        // The header does not open a door of another family.
        Assert.Equal(
            401,
            (
                await _server.SendAsync(
                    HttpMethod.Get,
                    "/api/v1/runs",
                    null,
                    null,
                    ("X-Internal-API-Key", _server.RootKey)
                )
            ).Status
        );
    }

    [Fact]
    public async Task Another_projects_inbound_url_carries_the_project()
    {
        var other = await _server.PostAsync("/api/v1/projects", new { name = "tenant" });
        await _server.PostAsync("/api/triggers/user/u/t", new { promptTemplate = "x" }, other.String("rootKey"));
        var url = (await _server.GetAsync("/api/triggers/user/u/t", other.String("rootKey")))
            .Json.GetProperty("data")
            .GetProperty("inboundUrl")
            .GetString()!;
        Assert.Equal($"/inbound/{other.String("id")}/user/u/t", url);
        Assert.Equal(200, (await _server.SendAsync(HttpMethod.Post, url, null, "{}")).Status);
        Assert.Equal(404, (await _server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}")).Status);
        Assert.Equal(404, (await _server.GetAsync("/api/triggers/user/u/t")).Status);
    }

    [Fact]
    public async Task Captures_are_paged_and_replayed_as_new_ones()
    {
        await _server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "idle",
                promptTemplate = "{{body.n}}",
                filter = new { body = new[] { new { path = "n", equals = 1 } } },
            }
        );
        for (var i = 0; i < 5; i++)
            await _server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, new { n = i });
        var page = (await _server.GetAsync("/api/triggers/user/u/t/requests?limit=3")).Json.GetProperty("data");
        var rest = (
            await _server.GetAsync(
                $"/api/triggers/user/u/t/requests?limit=3&cursor={page.GetProperty("nextCursor").GetString()}"
            )
        ).Json.GetProperty("data");
        Assert.Equal(
            ["{\"n\":4}", "{\"n\":3}", "{\"n\":2}", "{\"n\":1}", "{\"n\":0}"],
            page.GetProperty("requests")
                .EnumerateArray()
                .Concat(rest.GetProperty("requests").EnumerateArray())
                .Select(r => r.GetProperty("body").GetString()!)
        );
        Assert.False(rest.TryGetProperty("nextCursor", out _));
        var filtered = page.GetProperty("requests")[0].GetProperty("requestId").GetString();
        var replay = await _server.PostAsync($"/api/triggers/user/u/t/requests/{filtered}/replay", null);
        Assert.Equal(202, replay.Status);
        var made = (
            await _server.GetAsync(
                "/api/triggers/user/u/t/requests"
                    + $"/{replay.Json.GetProperty("data").GetProperty("requestId").GetString()}"
            )
        ).Json.GetProperty("data");
        Assert.Equal(
            ("replay", "{\"n\":4}", "captured"),
            (
                made.GetProperty("triggerSource").GetString(),
                made.GetProperty("body").GetString(),
                made.GetProperty("processStatus").GetString()
            )
        );
        Assert.Equal(
            (404, "Request not found"),
            await ErrorAsync(_server.PostAsync("/api/triggers/user/u/t/requests/none/replay", null))
        );
        await PutAsync("user/u/t", new { isActive = false });
        Assert.Equal(409, (await _server.PostAsync($"/api/triggers/user/u/t/requests/{filtered}/replay", null)).Status);
    }

    [Fact]
    public async Task A_schedule_is_fired_by_hand_with_its_own_refusals()
    {
        Assert.Equal((404, "NOT_FOUND"), await ErrorAsync(_server.PostAsync("/api/triggers/user/u/none/invoke", null)));
        await _server.PostAsync("/api/triggers/user/u/hook", new { agent = "idle", promptTemplate = "x" });
        Assert.Equal(
            (400, "NOT_SCHEDULED"),
            await ErrorAsync(_server.PostAsync("/api/triggers/user/u/hook/invoke", null))
        );
        await _server.PostAsync(
            "/api/triggers/user/u/daily",
            new
            {
                agent = "idle",
                promptTemplate = "{{scheduledTime}}",
                activationMode = "scheduled",
                cronExpression = "0 6 * * *",
                maxInFlight = 1,
            }
        );
        Assert.Equal(202, (await _server.PostAsync("/api/triggers/user/u/daily/invoke", null)).Status);
        Assert.Equal(
            (429, "INFLIGHT_LIMIT"),
            await ErrorAsync(_server.PostAsync("/api/triggers/user/u/daily/invoke", null))
        );
        await PutAsync("user/u/daily", new { isActive = false });
        Assert.Equal((409, "INACTIVE"), await ErrorAsync(_server.PostAsync("/api/triggers/user/u/daily/invoke", null)));
        Assert.Equal(404, (await _server.SendAsync(HttpMethod.Post, "/inbound/user/u/daily", null, "{}")).Status);
    }

    private static async Task<(int Status, string Text)> ErrorAsync(Task<Answer> sent)
    {
        var answer = await sent;
        Assert.False(answer.Json.GetProperty("success").GetBoolean());
        return (answer.Status, answer.String("error"));
    }
}
