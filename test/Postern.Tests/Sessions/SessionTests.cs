using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Sessions;

public sealed class SessionTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private static object Body(string externalId, object? more = null) =>
        new
        {
            type = "chat",
            externalId,
            taskIdentifier = "echo",
            triggerConfig = more ?? new { basePayload = new { } },
        };

    [Fact]
    public async Task Starting_makes_a_session_with_a_run_and_again_gets_the_same()
    {
        var first = await _server.StartSessionAsync(" chat-1 ");
        Assert.Equal(201, first.Status);
        Assert.Equal(
            ("chat-1", "ACTIVE", "agent:echo:chat-1"),
            (first.String("externalId"), first.String("status"), first.String("key"))
        );
        Assert.Equal(first.String("runId"), first.String("currentRunId"));
        var again = await _server.PostAsync(
            "/api/v1/sessions",
            new
            {
                type = "chat",
                externalId = "chat-1",
                taskIdentifier = "echo",
                triggerConfig = new { basePayload = new { a = 1 } },
                tags = new[] { "t" },
            }
        );
        Assert.Equal((200, true), (again.Status, again.Json.GetProperty("isCached").GetBoolean()));
        Assert.Equal((first.String("id"), first.String("runId")), (again.String("id"), again.String("runId")));
        Assert.Equal("t", again.Json.GetProperty("tags")[0].GetString());
        Assert.Equal(1, again.Json.GetProperty("triggerConfig").GetProperty("basePayload").GetProperty("a").GetInt32());
    }

    [Theory]
    [InlineData("", "Request body is empty")]
    [InlineData("{", "Invalid JSON")]
    [InlineData("{\"type\":\"a\",\"type\":\"b\"}", "Invalid JSON")]
    [InlineData("[]", "object")]
    [InlineData(
        "{\"type\":7,\"taskIdentifier\":\"echo\",\"triggerConfig\":{\"basePayload\":{}}}",
        "type must be a string"
    )]
    [InlineData(
        "{\"type\":\"\",\"taskIdentifier\":\"echo\",\"triggerConfig\":{\"basePayload\":{}}}",
        "type must not be empty"
    )]
    [InlineData("{\"type\":\"c\",\"triggerConfig\":{\"basePayload\":{}}}", "taskIdentifier is required")]
    [InlineData("{\"type\":\"c\",\"taskIdentifier\":\"echo\"}", "triggerConfig is required")]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"triggerConfig\":{}}",
        "triggerConfig.basePayload is required"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"triggerConfig\":{\"basePayload\":{},\"maxAttempts\":11}}",
        "triggerConfig.maxAttempts must be a whole number from 1 to 10"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"triggerConfig\":{\"basePayload\":{},"
            + "\"idleTimeoutInSeconds\":1.5}}",
        "triggerConfig.idleTimeoutInSeconds"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"externalId\":\"session_x\","
            + "\"triggerConfig\":{\"basePayload\":{}}}",
        "externalId must not start with session_"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"externalId\":\"a:channels:b\","
            + "\"triggerConfig\":{\"basePayload\":{}}}",
        "externalId must not contain :channels:"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"externalId\":\"a\\u0000b\","
            + "\"triggerConfig\":{\"basePayload\":{}}}",
        "externalId"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"externalId\":\"\\ud800\","
            + "\"triggerConfig\":{\"basePayload\":{}}}",
        "externalId"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"tags\":[1],\"triggerConfig\":{\"basePayload\":{}}}",
        "tags[0]"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"metadata\":[],\"triggerConfig\":{\"basePayload\":{}}}",
        "metadata must be an object"
    )]
    [InlineData(
        "{\"type\":\"c\",\"taskIdentifier\":\"echo\",\"expiresAt\":\"soon\",\"triggerConfig\":{\"basePayload\":{}}}",
        "expiresAt must be"
    )]
    public async Task Bad_input_is_refused_by_the_name_of_its_field(string body, string says)
    {
        var rows = await _server.CountRowsAsync();
        var answer = await _server.PostAsync("/api/v1/sessions", body);
        Assert.Equal(400, answer.Status);
        Assert.Contains(says, answer.String("error"), StringComparison.Ordinal);
        Assert.Equal(rows, await _server.CountRowsAsync());
    }

    [Fact]
    public async Task Limits_have_their_statuses()
    {
        Assert.Equal(
            413,
            (
                await _server.PostAsync(
                    "/api/v1/sessions",
                    Body("x", new { basePayload = new { text = new string('x', 33_000) } })
                )
            ).Status
        );
        Assert.Equal(400, (await _server.PostAsync("/api/v1/sessions", (byte[])[0x7b, 0x22, 0xff, 0x22, 0x7d])).Status);
        Assert.Equal(400, (await _server.PostAsync("/api/v1/sessions", new string('[', 10_000))).Status);
        Assert.Equal(422, (await _server.StartSessionAsync("x", agent: "nobody")).Status);
        Assert.Equal(
            422,
            (
                await _server.PostAsync(
                    "/api/v1/sessions",
                    new
                    {
                        type = "c",
                        taskIdentifier = "echo",
                        triggerConfig = new { basePayload = new { } },
                        expiresAt = "2020-01-01T00:00:00Z",
                    }
                )
            ).Status
        );
    }

    [Fact]
    public async Task A_right_to_the_body_is_no_right_to_the_stored_row()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/foo", _server.RootKey, new { kind = "echo" });
        await _server.StartSessionAsync("bound-to-echo");
        var before = (await _server.GetAsync("/api/v1/sessions/bound-to-echo")).Text;
        var foo = await _server.TokenAsync("write:tasks:foo");
        var refused = await _server.StartSessionAsync("bound-to-echo", foo, "foo");
        Assert.Equal((404, "{\"error\":\"Session not found\"}"), (refused.Status, refused.Text));
        Assert.Equal(
            403,
            (
                await _server.StartSessionAsync(
                    "bound-to-echo",
                    await _server.TokenAsync("write:tasks:foo", "read:sessions"),
                    "foo"
                )
            ).Status
        );
        Assert.Equal(before, (await _server.GetAsync("/api/v1/sessions/bound-to-echo")).Text);
        Assert.Equal(201, (await _server.StartSessionAsync("of-foo", foo, "foo")).Status);
        Assert.Equal(403, (await _server.StartSessionAsync("of-echo", foo)).Status);
    }

    [Fact]
    public async Task The_session_token_is_no_wider_than_its_caller()
    {
        var writeOnly = (await _server.StartSessionAsync("w", await _server.TokenAsync("write:tasks:echo"))).String(
            "publicAccessToken"
        );
        Assert.Equal(404, (await _server.GetAsync("/api/v1/sessions/w", writeOnly)).Status);
        Assert.Equal(200, (await _server.SayAsync("w", "hello", writeOnly)).Status);
        var both = (await _server.StartSessionAsync("b")).String("publicAccessToken");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions/b", both)).Status);
        Assert.Equal(404, (await _server.GetAsync("/api/v1/sessions/w", both)).Status);
        Assert.Equal(403, (await _server.StartSessionAsync("another", both)).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/v1/sessions", both)).Status);
    }

    [Fact]
    public async Task Missing_and_forbidden_look_alike()
    {
        await _server.StartSessionAsync("secret");
        var narrow = await _server.TokenAsync("read:sessions:mine");
        foreach (
            var (method, suffix) in new[]
            {
                ("GET", ""),
                ("PATCH", ""),
                ("POST", "/close"),
                ("POST", "/end-and-continue"),
            }
        )
        {
            var there = await _server.SendAsync(
                new HttpMethod(method),
                "/api/v1/sessions/secret" + suffix,
                narrow,
                method == "GET" ? null : "{}"
            );
            var not = await _server.SendAsync(
                new HttpMethod(method),
                "/api/v1/sessions/nothing" + suffix,
                narrow,
                method == "GET" ? null : "{}"
            );
            Assert.Equal((404, not.Text, "false"), (there.Status, there.Text, there.Header("x-should-retry")));
        }
        await _server.StartSessionAsync("mine");
        var forbidden = await _server.PostAsync("/api/v1/sessions/mine/close", new { }, narrow);
        Assert.Equal(
            "{\"error\":\"Unauthorized\",\"code\":\"unauthorized\",\"param\":\"access_token\","
                + "\"type\":\"authorization\",\"requiredScopes\":[\"admin:sessions:mine\"]}",
            forbidden.Text
        );
        Assert.Equal(403, forbidden.Status);
    }

    [Fact]
    public async Task A_list_pages_both_ways_and_is_never_short_because_of_a_filter()
    {
        for (var i = 0; i < 25; i++)
        {
            await _server.PostAsync(
                "/api/v1/sessions",
                new
                {
                    type = i % 2 == 0 ? "even" : "odd",
                    externalId = $"n{i:00}",
                    taskIdentifier = "echo",
                    triggerConfig = new { basePayload = new { } },
                    tags = new[] { "t" + (i % 5), "x\"t0" },
                }
            );
        }
        var seen = new List<string>();
        string? after = null;
        do
        {
            var page = (
                await _server.GetAsync(
                    "/api/v1/sessions?filter[type]=even&page[size]=5" + (after is null ? "" : "&page[after]=" + after)
                )
            ).Json;
            var names = page.GetProperty("data")
                .EnumerateArray()
                .Select(s => s.GetProperty("externalId").GetString()!)
                .ToList();
            seen.AddRange(names);
            after = page.GetProperty("pagination").TryGetProperty("next", out var next) ? next.GetString() : null;
            if (after is not null)
                Assert.Equal(5, names.Count);
            if (seen.Count == 10)
            {
                var back = (
                    await _server.GetAsync(
                        "/api/v1/sessions?filter[type]=even&page[size]=5"
                            + $"&page[before]={page.GetProperty("pagination").GetProperty("previous").GetString()}"
                    )
                ).Json;
                Assert.Equal(
                    seen.Take(5),
                    back.GetProperty("data").EnumerateArray().Select(s => s.GetProperty("externalId").GetString()!)
                );
            }
        } while (after is not null);
        Assert.Equal(Enumerable.Range(0, 13).Select(i => $"n{24 - (2 * i):00}"), seen);

        Assert.Equal(5, await Count("filter[tags]=t0&page[size]=100"));
        Assert.Equal(10, await Count("filter[tags]=t0,t1&page[size]=100"));
        Assert.Equal(10, await Count("filter[tags]=t0&filter[tags]=t1&page[size]=100"));
        Assert.Equal(2, await Count("filter[externalId]=n03,n04"));
        Assert.Equal(0, await Count("filter[status]=CLOSED"));
        Assert.Equal(25, await Count("filter[status]=ACTIVE&page[size]=100"));
        Assert.Equal(0, await Count("filter[createdAt][to]=1000"));
        Assert.Equal(25, await Count("filter[createdAt][period]=1h&page[size]=100"));
        Assert.Equal(400, (await _server.GetAsync("/api/v1/sessions?filter[status]=OPEN")).Status);
        Assert.Equal(400, (await _server.GetAsync("/api/v1/sessions?page[size]=101")).Status);
        Assert.Equal(400, (await _server.GetAsync("/api/v1/sessions?page[after]=nonsense!")).Status);

        async Task<int> Count(string query) =>
            (await _server.GetAsync("/api/v1/sessions?" + query)).Json.GetProperty("data").GetArrayLength();
    }

    [Fact]
    public async Task A_list_by_tasks_needs_every_named_task()
    {
        await _server.StartSessionAsync("listed");
        var echo = await _server.TokenAsync("read:tasks:echo");
        Assert.Equal(200, (await _server.GetAsync("/api/v1/sessions?filter[taskIdentifier]=echo", echo)).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/v1/sessions?filter[taskIdentifier]=echo,other", echo)).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/v1/sessions", echo)).Status);
    }

    [Fact]
    public async Task Closing_is_for_good_and_the_first_close_wins()
    {
        await _server.StartSessionAsync("c");
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/c/out");
        var closed = await _server.PostAsync("/api/v1/sessions/c/close", new { reason = "first" });
        Assert.Equal(
            ("CLOSED", "first", false),
            (closed.String("status"), closed.String("closedReason"), closed.Json.GetProperty("idle").GetBoolean())
        );
        Assert.Equal(
            "first",
            (await _server.PostAsync("/api/v1/sessions/c/close", new { reason = "second" })).String("closedReason")
        );
        Assert.Equal(200, (await _server.PostAsync("/api/v1/sessions/c/close", null)).Status);
        var told = await stream.NextAsync();
        Assert.Contains("[\"trigger-control\",\"session-closed\"]", told!.Data, StringComparison.Ordinal);
        Assert.Equal("[DONE]", (await stream.NextAsync())!.Data);
        var append = await _server.SayAsync("c", "too late");
        Assert.Equal(
            (409, "session_closed", "first", "false"),
            (append.Status, append.String("code"), append.String("closedReason"), append.Header("x-should-retry"))
        );
        var start = await _server.StartSessionAsync("c");
        Assert.Equal((409, "session_closed"), (start.Status, start.String("code")));
    }

    [Fact]
    public async Task An_expired_session_takes_nothing_and_its_streams_end()
    {
        await _server.PostAsync(
            "/api/v1/sessions",
            new
            {
                type = "c",
                externalId = "e",
                taskIdentifier = "echo",
                triggerConfig = new { basePayload = new { } },
                expiresAt = DateTimeOffset.UtcNow.AddMinutes(5).ToString("O"),
            }
        );
        await using var stream = await _server.StreamAsync("/realtime/v1/sessions/e/out");
        await using var history = await _server.StreamAsync("/sessions/e/history");
        _server.Clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal("session_expired", (await _server.SayAsync("e", "late")).String("code"));
        Assert.Contains("session-closed", (await stream.NextAsync())!.Data, StringComparison.Ordinal);
        Assert.Equal("history", (await history.NextAsync())!.Name);
        Assert.Equal("session_closed", (await history.NextAsync())!.Json.GetProperty("reason").GetString());
        Assert.Equal("EXPIRED", (await _server.GetAsync("/api/v1/sessions/e")).String("status"));
    }

    [Fact]
    public async Task End_and_continue_swaps_only_the_current_run()
    {
        var started = await _server.StartSessionAsync("swap");
        var swapped = await _server.PostAsync(
            "/api/v1/sessions/swap/end-and-continue",
            new { callingRunId = started.String("runId"), reason = "upgrade" }
        );
        Assert.True(swapped.Json.GetProperty("swapped").GetBoolean());
        Assert.NotEqual(started.String("runId"), swapped.String("runId"));
        var late = await _server.PostAsync(
            "/api/v1/sessions/swap/end-and-continue",
            new { callingRunId = started.String("runId"), reason = "upgrade" }
        );
        Assert.Equal(
            (200, swapped.String("runId"), false),
            (late.Status, late.String("runId"), late.Json.GetProperty("swapped").GetBoolean())
        );
        Assert.Equal(
            404,
            (
                await _server.PostAsync(
                    "/api/v1/sessions/swap/end-and-continue",
                    new { callingRunId = "run_none", reason = "x" }
                )
            ).Status
        );
    }

    [Fact]
    public async Task Names_with_slashes_and_other_letters_are_one_segment()
    {
        const string name = "user/1 ü%2F?#";
        Assert.Equal(201, (await _server.StartSessionAsync(name)).Status);
        var encoded = Uri.EscapeDataString(name);
        Assert.Equal(name, (await _server.GetAsync("/api/v1/sessions/" + encoded)).String("externalId"));
        Assert.Equal(200, (await _server.SayAsync(encoded, "hello")).Status);
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync($"/sessions/{encoded}/history")).Json.GetProperty("messages").GetArrayLength() == 2
        );
        Assert.Equal(
            200,
            (await _server.GetAsync($"/sessions/{Uri.EscapeDataString("agent:ECHO:" + name)}/history")).Status
        );
    }

    [Fact]
    public async Task Changing_takes_tags_and_metadata_and_no_other_name()
    {
        await _server.StartSessionAsync("p");
        var patched = await _server.SendAsync(
            HttpMethod.Patch,
            "/api/v1/sessions/p",
            _server.RootKey,
            "{\"tags\":[\"a\"],\"metadata\":{\"n\":1.10}}"
        );
        Assert.Equal("1.10", patched.Json.GetProperty("metadata").GetProperty("n").GetRawText());
        Assert.Equal(
            JsonValueKind.Null,
            (await _server.SendAsync(HttpMethod.Patch, "/api/v1/sessions/p", _server.RootKey, "{\"metadata\":null}"))
                .Json.GetProperty("metadata")
                .ValueKind
        );
        Assert.Equal(
            422,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    "/api/v1/sessions/p",
                    _server.RootKey,
                    "{\"externalId\":\"q\"}"
                )
            ).Status
        );
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Patch,
                    "/api/v1/sessions/p",
                    _server.RootKey,
                    "{\"externalId\":\"p\",\"somethingNewer\":true}"
                )
            ).Status
        );
    }
}
