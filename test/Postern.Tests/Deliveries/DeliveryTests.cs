using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Postern.Deliveries;
using Postern.Support;

namespace Postern.Tests.Deliveries;

/// <summary>Deliveries to receivers of every kind: outcomes, schedule, order, circuits, dead letters.</summary>
public sealed class DeliveryTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Receiver _receiver = null!;
    private string _secret = "";

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _receiver = await Receiver.StartAsync();
        var put = await PutAsync("hook", new { url = _receiver.Origin + "/hook", events = new[] { "run.*" } });
        Assert.Equal(201, put.Status);
        _secret = put.String("secret");
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _receiver.DisposeAsync();
    }

    private Task<Answer> PutAsync(string id, object body) =>
        _server.SendAsync(HttpMethod.Put, "/api/v1/webhook-endpoints/" + id, _server.RootKey, body);

    private async Task<JsonElement> DeliveryAsync(string id) =>
        (await _server.GetAsync("/api/v1/deliveries/" + id)).Json;

    /// <summary>Sends one test event, and waits until its delivery is in a state.</summary>
    private async Task<JsonElement> SentAsync(string status, int attempts = 1, string endpoint = "hook")
    {
        var id = (await _server.PostAsync($"/api/v1/webhook-endpoints/{endpoint}/test", null)).String("deliveryId");
        return await InAsync(id, status, attempts);
    }

    private async Task<JsonElement> InAsync(string id, string status, int attempts)
    {
        JsonElement found = default;
        await WaitFor.TrueAsync(
            async () =>
            {
                found = await DeliveryAsync(id);
                return found.GetProperty("status").GetString() == status
                    && found.GetProperty("attemptCount").GetInt32() >= attempts;
            },
            TimeSpan.FromSeconds(25),
            $"a delivery that is {status} after {attempts}"
        );
        return found;
    }

    private static string Category(JsonElement delivery, int attempt = 0) =>
        delivery.GetProperty("attempts")[attempt].GetProperty("category").GetString()!;

    [Fact]
    public async Task A_delivery_is_signed_over_the_bytes_sent_and_kept_with_its_attempt()
    {
        _receiver.Answers = _ => (200, "{\"thanks\":\"<b>\"}");
        var delivery = await SentAsync("delivered");
        var (headers, body, text) = await _receiver.NextAsync();
        Assert.Equal(delivery.GetProperty("id").GetString(), headers["webhook-id"].ToString());
        Assert.Equal(
            ("1", "application/json"),
            (headers["webhook-attempt"].ToString(), headers.ContentType.ToString())
        );
        Assert.StartsWith("Postern/", headers.UserAgent.ToString(), StringComparison.Ordinal);
        Assert.Equal(
            DeliverySender.Sign(
                [_secret],
                headers["webhook-id"].ToString(),
                long.Parse(headers["webhook-timestamp"].ToString()),
                Encoding.UTF8.GetBytes(text)
            ),
            headers["webhook-signature"].ToString()
        );
        Assert.Equal(["type", "timestamp", "data"], body.EnumerateObject().Select(m => m.Name));
        var attempt = delivery.GetProperty("attempts")[0];
        Assert.Equal(
            (200, "delivered", "{\"thanks\":\"<b>\"}"),
            (
                attempt.GetProperty("status").GetInt32(),
                attempt.GetProperty("category").GetString(),
                attempt.GetProperty("response").GetString()
            )
        );
    }

    [Theory]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task A_temporary_failure_is_tried_again_under_the_same_id(int status)
    {
        _receiver.Answers = n => n == 1 ? (status, "not now") : (204, "");
        var first = await SentAsync("pending");
        Assert.Equal($"answered {status}: not now", first.GetProperty("reason").GetString());
        Assert.NotNull(first.GetProperty("nextAttemptAt").GetString());
        _server.Clock.Advance(TimeSpan.FromSeconds(7));
        await InAsync(first.GetProperty("id").GetString()!, "delivered", 2);
        Assert.Equal(_receiver.Taken.First().Headers["webhook-id"], _receiver.Taken.Last().Headers["webhook-id"]);
        Assert.Equal("2", _receiver.Taken.Last().Headers["webhook-attempt"].ToString());
        Assert.NotEqual(
            _receiver.Taken.First().Headers["webhook-signature"],
            _receiver.Taken.Last().Headers["webhook-signature"]
        );
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(422)]
    public async Task A_final_refusal_is_dead_at_once_and_reported(int status)
    {
        _receiver.Answers = _ => (status, "no");
        var dead = await SentAsync("dead");
        Assert.Equal(1, dead.GetProperty("attemptCount").GetInt32());
        var told = (await _server.GetAsync("/api/v1/events?type=delivery.dead")).Json.GetProperty("data")[0];
        Assert.Equal(
            (dead.GetProperty("id").GetString(), $"answered {status}: no"),
            (
                told.GetProperty("data").GetProperty("deliveryId").GetString(),
                told.GetProperty("data").GetProperty("reason").GetString()
            )
        );
    }

    [Fact]
    public async Task The_schedule_has_ten_tries_and_then_the_delivery_is_dead()
    {
        _receiver.Answers = _ => (500, "");
        var id = (await SentAsync("pending")).GetProperty("id").GetString()!;
        int[] schedule = [5, 30, 120, 600, 1800, 7200, 18_000, 36_000, 50_400];
        for (var i = 0; i < schedule.Length; i++)
        {
            var delivery = await InAsync(id, "pending", i + 1);
            var wait = (
                DateTimeOffset.Parse(delivery.GetProperty("nextAttemptAt").GetString()!)
                - DateTimeOffset.Parse(delivery.GetProperty("attempts")[i].GetProperty("at").GetString()!)
            ).TotalSeconds;
            Assert.InRange(wait, (schedule[i] * 0.8) - 1, (schedule[i] * 1.2) + 2);
            _server.Clock.Advance(TimeSpan.FromSeconds(schedule[i] * 1.25));
        }
        Assert.Equal(10, (await InAsync(id, "dead", 10)).GetProperty("attempts").GetArrayLength());
    }

    [Fact]
    public async Task A_receiver_that_asks_for_time_gets_it_up_to_a_day()
    {
        _receiver.Handle = http =>
        {
            (http.Response.StatusCode, http.Response.Headers.RetryAfter) = (
                429,
                _receiver.Taken.Count == 1 ? "3600" : "9999999"
            );
            return Task.CompletedTask;
        };
        var first = await SentAsync("pending");
        Assert.InRange(Wait(first, 0), 3590, 3610);
        _server.Clock.Advance(TimeSpan.FromSeconds(3605));
        Assert.InRange(Wait(await InAsync(first.GetProperty("id").GetString()!, "pending", 2), 1), 86_390, 86_410);

        static double Wait(JsonElement d, int attempt) =>
            (
                DateTimeOffset.Parse(d.GetProperty("nextAttemptAt").GetString()!)
                - DateTimeOffset.Parse(d.GetProperty("attempts")[attempt].GetProperty("at").GetString()!)
            ).TotalSeconds;
    }

    [Fact]
    public async Task A_receiver_that_is_gone_or_asks_to_be_left_alone_is_disabled_with_the_reason()
    {
        _receiver.Answers = _ => (410, "moved away");
        await SentAsync("dead");
        var hook = (await _server.GetAsync("/api/v1/webhook-endpoints/hook")).Json;
        Assert.Equal(
            (false, "it answered 410 Gone"),
            (hook.GetProperty("enabled").GetBoolean(), hook.GetProperty("disabledReason").GetString())
        );
        Assert.Equal(409, (await _server.PostAsync("/api/v1/webhook-endpoints/hook/test", null)).Status);
        Assert.Equal(
            "hook",
            (await _server.GetAsync("/api/v1/events?type=endpoint.disabled"))
                .Json.GetProperty("data")[0]
                .GetProperty("data")
                .GetProperty("endpointId")
                .GetString()
        );

        await PutAsync("hook", new { url = _receiver.Origin, events = new[] { "*" } });
        _receiver.Handle = http =>
        {
            http.Response.Headers["webhook-delivery"] = "disable";
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        await SentAsync("dead");
        Assert.False(
            (await _server.GetAsync("/api/v1/webhook-endpoints/hook")).Json.GetProperty("enabled").GetBoolean()
        );

        await PutAsync("hook", new { url = _receiver.Origin, events = new[] { "*" } });
        _receiver.Handle = http =>
        {
            http.Response.Headers["webhook-delivery"] = "abort-message";
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        Assert.Equal(1, (await SentAsync("dead")).GetProperty("attemptCount").GetInt32());
        Assert.True(
            (await _server.GetAsync("/api/v1/webhook-endpoints/hook")).Json.GetProperty("enabled").GetBoolean()
        );
    }

    [Fact]
    public async Task Five_days_of_nothing_but_failure_disable_an_endpoint()
    {
        _receiver.Answers = _ => (500, "");
        await SentAsync("pending");
        _server.Clock.Advance(TimeSpan.FromDays(5) + TimeSpan.FromMinutes(1));
        await WaitFor.TrueAsync(async () =>
            !(await _server.GetAsync("/api/v1/webhook-endpoints/hook")).Json.GetProperty("enabled").GetBoolean()
        );
        Assert.Contains(
            "five days",
            (await _server.GetAsync("/api/v1/webhook-endpoints/hook")).String("disabledReason"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Events_about_one_run_arrive_in_order_and_behind_a_failure_they_wait()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        _receiver.Answers = n => n == 1 ? (500, "") : (200, "");
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "running" });
        await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "waiting" });
        await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "running" });
        await _server.PostAsync($"/api/v1/runs/{id}/status", new { status = "succeeded" });
        var other = (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        // The event of the other run overtakes; those of this run wait for the first one.
        await WaitFor.TrueAsync(() => Task.FromResult(_receiver.Taken.Count == 2));
        Assert.Contains(other, _receiver.Taken.Last().Body, StringComparison.Ordinal);
        _server.Clock.Advance(TimeSpan.FromSeconds(7));
        await WaitFor.TrueAsync(() => Task.FromResult(_receiver.Taken.Count == 6));
        Assert.Equal(
            ["run.created", "run.created", "run.started", "run.waiting", "run.succeeded"],
            _receiver
                .Taken.Where(t => t.Body.Contains(id, StringComparison.Ordinal))
                .Select(t => JsonSerializer.Deserialize<JsonElement>(t.Body).GetProperty("type").GetString())
        );
    }

    [Fact]
    public async Task An_endpoint_gets_the_types_it_subscribed_to()
    {
        await using var chosen = await Receiver.StartAsync();
        await PutAsync("some", new { url = chosen.Url, events = new[] { "session.created", "message.*" } });
        await _server.StartSessionAsync("s");
        await _server.SayAsync("s", "hello");
        await WaitFor.TrueAsync(() => Task.FromResult(chosen.Taken.Count == 3));
        Assert.Equal(
            ["session.created", "message.committed", "message.committed"],
            chosen.Taken.Select(t => JsonSerializer.Deserialize<JsonElement>(t.Body).GetProperty("type").GetString())
        );
        Assert.DoesNotContain("hello", string.Concat(chosen.Taken.Select(t => t.Body)), StringComparison.Ordinal);
        var listed = (await _server.GetAsync("/api/v1/events?limit=200"))
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(e => e.GetProperty("type").GetString())
            .ToList();
        foreach (var type in (string[])["session.created", "run.created", "run.started", "message.committed"])
            Assert.Contains(type, listed);
    }

    [Fact]
    public async Task Both_secrets_sign_while_one_is_rotated_and_afterwards_the_new_one_alone()
    {
        var rotated = await _server.PostAsync(
            "/api/v1/webhook-endpoints/hook/rotate-secret",
            new { overlapSeconds = 60 }
        );
        await SentAsync("delivered");
        var (headers, _, text) = await _receiver.NextAsync();
        var (id, at, bytes) = (
            headers["webhook-id"].ToString(),
            long.Parse(headers["webhook-timestamp"].ToString()),
            Encoding.UTF8.GetBytes(text)
        );
        Assert.Equal(
            DeliverySender.Sign([rotated.String("secret"), _secret], id, at, bytes),
            headers["webhook-signature"].ToString()
        );
        Assert.Equal(2, headers["webhook-signature"].ToString().Split(' ').Length);
        _server.Clock.Advance(TimeSpan.FromSeconds(61));
        await SentAsync("delivered");
        Assert.Single((await _receiver.NextAsync(2)).Headers["webhook-signature"].ToString().Split(' '));
        Assert.DoesNotContain(
            "whsec_",
            (await _server.GetAsync("/api/v1/webhook-endpoints")).Text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Dead_letters_are_sent_again_one_by_one_or_by_a_span_of_time()
    {
        _receiver.Answers = _ => (400, "");
        var since = _server.Database.Now;
        for (var i = 0; i < 3; i++)
            await SentAsync("dead");
        var first = (await _server.GetAsync("/api/v1/deliveries?status=dead&endpoint=hook"))
            .Json.GetProperty("data")[0]
            .GetProperty("id")
            .GetString()!;
        _receiver.Answers = _ => (200, "");
        var again = await _server.PostAsync($"/api/v1/deliveries/{first}/retry", null);
        Assert.Equal("hook", again.String("endpoint"));
        await InAsync(first, "delivered", 2);
        var replay = await _server.PostAsync(
            "/api/v1/deliveries/replay",
            new { endpoint = "hook", since = DateTimeOffset.UnixEpoch.AddTicks(since * 10).ToString("O") }
        );
        Assert.Equal(
            (200, 2, 0),
            (
                replay.Status,
                replay.Json.GetProperty("replayed").GetInt32(),
                replay.Json.GetProperty("skipped").GetInt32()
            )
        );
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/deliveries?status=dead")).Json.GetProperty("data").GetArrayLength() == 0
        );
        Assert.Equal(
            0,
            (await _server.PostAsync("/api/v1/deliveries/replay", new { since = "2020-01-01" }))
                .Json.GetProperty("replayed")
                .GetInt32()
        );
        Assert.Contains(
            "since is required",
            (await _server.PostAsync("/api/v1/deliveries/replay", new { endpoint = "x" })).Text,
            StringComparison.Ordinal
        );
        Assert.Equal(404, (await _server.PostAsync("/api/v1/deliveries/dlv_none/retry", null)).Status);
    }

    [Fact]
    public async Task Only_a_replay_sends_an_arrived_delivery_again_and_once()
    {
        var id = (await SentAsync("delivered")).GetProperty("id").GetString()!;
        for (var i = 0; i < 2; i++)
        {
            var retried = await _server.PostAsync($"/api/v1/deliveries/{id}/retry", null);
            Assert.Equal((200, "delivered"), (retried.Status, retried.String("status")));
        }
        for (var expected = 1; expected >= 0; expected--)
        {
            Assert.Equal(
                expected,
                await ReplayedAsync(
                    new
                    {
                        endpoint = "hook",
                        since = "2020-01-01",
                        status = "delivered",
                    }
                )
            );
            await InAsync(id, "delivered", 2);
        }
        // Another recovery has a later end of its span.
        _server.Clock.Advance(TimeSpan.FromSeconds(2));
        var until = DateTimeOffset.UnixEpoch.AddTicks(_server.Database.Now * 10).ToString("O");
        for (var expected = 1; expected >= 0; expected--)
        {
            Assert.Equal(
                expected,
                await ReplayedAsync(
                    new
                    {
                        endpoint = "hook",
                        since = "2020-01-01",
                        until,
                        status = "delivered",
                    }
                )
            );
            await InAsync(id, "delivered", 3);
        }
        Assert.Equal(3, _receiver.Taken.Count);

        async Task<int> ReplayedAsync(object body) =>
            (await _server.PostAsync("/api/v1/deliveries/replay", body)).Json.GetProperty("replayed").GetInt32();
    }

    [Theory]
    [InlineData("0", 4, 6)]
    [InlineData("1", 4, 6)]
    [InlineData("Wed, 21 Oct 2015 07:28:00 GMT", 4, 6)]
    [InlineData("60", 60, 61)]
    [InlineData("9999999", 86_400, 86_401)]
    [InlineData("9999999999", 86_400, 86_401)]
    [InlineData("99999999999999999999999999", 86_400, 86_401)]
    [InlineData("Wed, 21 Oct 2076 07:28:00 GMT", 86_400, 86_401)]
    public async Task A_receiver_can_delay_the_next_try_by_a_day_and_never_hasten_it(string asked, int least, int most)
    {
        _receiver.Handle = http =>
        {
            (http.Response.StatusCode, http.Response.Headers.RetryAfter) = (429, asked);
            return Task.CompletedTask;
        };
        var delivery = await SentAsync("pending");
        var pause =
            delivery.GetProperty("nextAttemptAt").GetDateTimeOffset()
            - delivery.GetProperty("attempts")[0].GetProperty("at").GetDateTimeOffset();
        // The time of the answer is added.
        Assert.InRange(pause, TimeSpan.FromSeconds(least - 0.001), TimeSpan.FromSeconds(most + 5));
    }

    [Fact]
    public async Task A_circuit_pauses_a_failing_endpoint_without_spending_attempts()
    {
        await using var server = await TestServer.StartAsync(set: o =>
            (o.Deliveries.CircuitFailures, o.Deliveries.EndpointConcurrency, o.Deliveries.CircuitSeconds) = (3, 1, 600)
        );
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/hook",
            server.RootKey,
            new { url = _receiver.Origin, events = new[] { "*" } }
        );
        _receiver.Answers = _ => (500, "");
        for (var i = 0; i < 10; i++)
            await server.PostAsync("/api/v1/webhook-endpoints/hook/test", null);
        await WaitFor.TrueAsync(() => Task.FromResult(_receiver.Taken.Count == 3));
        server.Clock.Advance(TimeSpan.FromSeconds(8));
        // When a later one has been sent elsewhere, the worker has polled again.
        await using var beside = await Receiver.StartAsync();
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/beside",
            server.RootKey,
            new { url = beside.Origin, events = new[] { "approval.*" } }
        );
        await server.PostAsync("/api/v1/webhook-endpoints/beside/test", null);
        await beside.NextAsync();
        Assert.Equal(3, _receiver.Taken.Count);
        await WaitFor.TrueAsync(
            async () =>
                (await server.GetAsync("/api/v1/deliveries?status=pending"))
                    .Json.GetProperty("data")
                    .EnumerateArray()
                    .Count(d => d.GetProperty("attemptCount").GetInt32() == 0) == 7,
            what: "seven were not tried"
        );
        // After the pause one is tried. It arrives, and the others follow.
        _receiver.Answers = _ => (200, "");
        server.Clock.Advance(TimeSpan.FromSeconds(601));
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/deliveries?status=pending")).Json.GetProperty("data").GetArrayLength() == 0
        );
        Assert.Equal(13, _receiver.Taken.Count);
    }

    [Fact]
    public async Task A_receiver_that_hangs_keeps_nobody_else_waiting()
    {
        await using var hanging = await Receiver.StartAsync();
        var release = new TaskCompletionSource();
        hanging.Handle = _ => release.Task;
        await PutAsync("hanging", new { url = hanging.Url, events = new[] { "session.*" } });
        for (var i = 0; i < 40; i++)
            await _server.PostAsync("/api/v1/webhook-endpoints/hanging/test", null);
        await WaitFor.TrueAsync(() => Task.FromResult(!hanging.Taken.IsEmpty));
        Assert.Equal("delivered", (await SentAsync("delivered")).GetProperty("status").GetString());
        Assert.True(hanging.Taken.Count <= 16, "an endpoint's places are bounded");
        release.SetResult();
    }

    [Fact]
    public async Task Deliveries_of_a_disabled_endpoint_end_without_further_events()
    {
        var release = new TaskCompletionSource();
        _receiver.Handle = async http =>
        {
            await release.Task;
            http.Response.StatusCode = 200;
        };
        for (var i = 0; i < 300; i++)
            await _server.PostAsync("/api/v1/webhook-endpoints/hook/test", null);
        await PutAsync(
            "hook",
            new
            {
                url = _receiver.Origin,
                events = new[] { "*" },
                enabled = false,
            }
        );
        release.SetResult();
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/deliveries?status=pending")).Json.GetProperty("data").GetArrayLength() == 0
        );
        Assert.Equal(
            0,
            (await _server.GetAsync("/api/v1/events?type=delivery.dead")).Json.GetProperty("data").GetArrayLength()
        );
    }

    [Fact]
    public async Task Kinds_of_misbehaving_receivers_are_distinguished()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Outbound.TimeoutSeconds = 1);
        var never = new TaskCompletionSource();
        _receiver.Handle = http =>
            http.Request.Path.Value switch
            {
                "/hang" => never.Task,
                "/reset" => Reset(http),
                "/drip-headers" => never.Task,
                "/drip" => DripAsync(http),
                _ => LargeAsync(http),
            };
        async Task<JsonElement> OneAsync(string url, string status)
        {
            await server.SendAsync(
                HttpMethod.Put,
                "/api/v1/webhook-endpoints/odd",
                server.RootKey,
                new { url, events = new[] { "*" } }
            );
            var id = (await server.PostAsync("/api/v1/webhook-endpoints/odd/test", null)).String("deliveryId");
            JsonElement found = default;
            await WaitFor.TrueAsync(async () =>
                (found = (await server.GetAsync("/api/v1/deliveries/" + id)).Json)
                    .GetProperty("attemptCount")
                    .GetInt32() == 1
            );
            Assert.Equal(status, found.GetProperty("status").GetString());
            // Each has its own endpoint. After a new PUT nothing of the last one is pending.
            await server.SendAsync(HttpMethod.Delete, "/api/v1/webhook-endpoints/odd", server.RootKey);
            return found;
        }

        Assert.Equal("timeout", Category(await OneAsync(_receiver.Origin + "/hang", "pending")));
        Assert.Equal("connection", Category(await OneAsync(_receiver.Origin + "/reset", "pending")));
        Assert.Equal("connection", Category(await OneAsync("http://127.0.0.1:9/", "pending")));
        Assert.Equal("dns", Category(await OneAsync("http://nobody.invalid/", "pending")));
        Assert.Equal(
            "tls",
            Category(await OneAsync(_receiver.Origin.Replace("http:", "https:", StringComparison.Ordinal), "pending"))
        );
        // The status has been received: a slow or endless body does not change it.
        Assert.Equal("delivered", Category(await OneAsync(_receiver.Origin + "/drip", "delivered")));
        var large = await OneAsync(_receiver.Origin + "/large", "delivered");
        Assert.Equal(1024, large.GetProperty("attempts")[0].GetProperty("response").GetString()!.Length);
        never.SetResult();

        static Task Reset(HttpContext http)
        {
            http
                .Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionSocketFeature>()!
                .Socket.LingerState = new LingerOption(true, 0);
            http.Abort();
            return Task.CompletedTask;
        }

        async Task DripAsync(HttpContext http)
        {
            try
            {
                while (!never.Task.IsCompleted)
                {
                    await http.Response.WriteAsync("x", http.RequestAborted);
                    await http.Response.Body.FlushAsync(http.RequestAborted);
                    await Task.Delay(300, http.RequestAborted);
                }
            }
            catch (OperationCanceledException)
            {
                // The sender stops waiting.
            }
        }

        static async Task LargeAsync(HttpContext http)
        {
            var piece = Encoding.ASCII.GetBytes(new string('y', 64 * 1024));
            try
            {
                for (var i = 0; i < 1600; i++)
                    await http.Response.Body.WriteAsync(piece, http.RequestAborted);
            }
            catch (Exception fault) when (fault is OperationCanceledException or IOException)
            {
                // The sender has read enough.
            }
        }
    }

    [Theory]
    [InlineData("http://localhost:{port}", "must not lead to a loopback")]
    [InlineData("http://8.8.8.8:{port}", "must be https")]
    public async Task An_address_that_has_become_forbidden_is_a_dead_delivery_that_names_the_rule(
        string url,
        string says
    )
    {
        url = url.Replace("{port}", new Uri(_receiver.Url).Port.ToString(), StringComparison.Ordinal);
        await using var server = await TestServer.StartAsync(set: o => o.Outbound.AllowedNetworks = []);
        await server.Database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                """
                INSERT INTO webhook_endpoint (project, id, url, events, sealed_secret, ordered, enabled, created_at,
                  updated_at)
                VALUES ($1, 'inside', $2, '["*"]', $3, 1, 1, 0, 0)
                """,
                await ProjectOf(tx),
                url,
                Postern
                    .Access.MasterKey.FromText("a master key for the tests, long enough")
                    .Protect(SigningSecret.New(), $"endpoint:{await ProjectOf(tx)}:inside")
            )
        );
        var id = (await server.PostAsync("/api/v1/webhook-endpoints/inside/test", null)).String("deliveryId");
        JsonElement dead = default;
        await WaitFor.TrueAsync(async () =>
            (dead = (await server.GetAsync("/api/v1/deliveries/" + id)).Json).GetProperty("status").GetString()
            == "dead"
        );
        Assert.Equal("address_refused", Category(dead));
        Assert.Contains(says, dead.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("127.0.0.1", dead.GetRawText(), StringComparison.Ordinal);
        Assert.Empty(_receiver.Taken);

        static async ValueTask<string> ProjectOf(Postern.Storage.Tx tx) =>
            (await tx.FirstAsync("SELECT id FROM project", r => r.GetString(0)))!;
    }

    [Fact]
    public async Task A_payload_too_large_for_a_delivery_is_sent_thin_with_where_to_fetch_it()
    {
        await using var caller = await Receiver.StartAsync();
        var input = new string('i', 260_000);
        var id = (
            await _server.PostAsync(
                "/api/v1/runs",
                new
                {
                    agent = "echo",
                    input,
                    callback = new { url = caller.Url },
                }
            )
        ).String("id");
        var (_, body, text) = await caller.OfTypeAsync("run.succeeded");
        Assert.True(text.Length < 10_000 && body.GetProperty("data").GetProperty("thin").GetBoolean());
        var fetched = await _server.GetAsync(
            new Uri(body.GetProperty("data").GetProperty("url").GetString()!).AbsolutePath
        );
        Assert.Equal((id, input), (fetched.String("id"), fetched.String("output")));
    }

    [Theory]
    [InlineData("{\"events\":[\"*\"]}", "url is required")]
    [InlineData("{\"url\":\"http://8.8.8.8/\",\"events\":[]}", "events must not be empty")]
    [InlineData("{\"url\":\"http://8.8.8.8/\",\"events\":[\"run.exploded\"]}", "events holds run.exploded")]
    [InlineData("{\"url\":\"http://8.8.8.8/\",\"events\":[\"*\"],\"secret\":\"short\"}", "secret must be whsec_")]
    [InlineData("{\"url\":\"http://8.8.8.8/\",\"events\":[\"*\"],\"rateLimit\":0}", "rateLimit must be")]
    [InlineData("{\"url\":\"http://10.0.0.1/\",\"events\":[\"*\"]}", "url must not lead")]
    [InlineData("{\"url\":\"http://8.8.8.8/\",\"events\":[\"*\"],\"x\":1}", "x is not a known field")]
    public async Task An_endpoint_at_fault_names_its_fields(string body, string says)
    {
        var answer = await PutAsync("bad", body);
        Assert.Equal(400, answer.Status);
        Assert.Contains(says, answer.String("detail"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Deliveries_of_a_deleted_endpoint_are_dead_and_a_rate_is_kept()
    {
        _receiver.Answers = _ => (500, "");
        var id = (await SentAsync("pending")).GetProperty("id").GetString()!;
        Assert.Equal(
            204,
            (await _server.SendAsync(HttpMethod.Delete, "/api/v1/webhook-endpoints/hook", _server.RootKey)).Status
        );
        Assert.Equal("The endpoint was deleted.", (await InAsync(id, "dead", 1)).GetProperty("reason").GetString());

        await using var slow = await Receiver.StartAsync();
        await PutAsync(
            "slow",
            new
            {
                url = slow.Url,
                events = new[] { "run.*" },
                rateLimit = 5,
            }
        );
        var watch = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 0; i < 12; i++)
            await _server.PostAsync("/api/v1/webhook-endpoints/slow/test", null);
        await WaitFor.TrueAsync(() => Task.FromResult(slow.Taken.Count == 12));
        Assert.True(watch.Elapsed > TimeSpan.FromSeconds(1.2), "twelve at five a second, the first five at once");
    }
}
