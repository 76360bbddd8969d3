using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>Two real processes on one PostgreSQL are one server.</summary>
[Collection(nameof(Alone))]
public sealed class NodesTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-nodes-").FullName;
    private ServerProcess _one = null!;
    private ServerProcess _two = null!;
    private string _key = "";
    private string _decider = "";

    public async ValueTask InitializeAsync()
    {
        var database = PostgresServer.NewDatabase();
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_MASTER_KEY"] = "one master key for both of the nodes",
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
        };
        _one = await ServerProcess.StartAsync(
            $"--data {_folder}/1 --urls http://127.0.0.1:0 --database \"{database}\"",
            environment
        );
        _two = await ServerProcess.StartAsync(
            $"--data {_folder}/2 --urls http://127.0.0.1:0 --database \"{database}\"",
            environment
        );
        _key = _one.RootKey;
        var made = await PosternCommand.RunAsync(
            $"keys create ada --scopes write:approvals,write:runs,read:runs --data {_folder}/1 --database "
                + $"\"{database}\"",
            environment
        );
        _decider = made.Out.Trim().Split('\n')[^1];
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<JsonElement> PostAsync(HttpClient http, string path, object body)
    {
        using var answer = await http.PostAsJsonAsync(path, body);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static async Task<EventReader> StreamAsync(HttpClient http, string path)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("text/event-stream");
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new EventReader(response, await response.Content.ReadAsStreamAsync());
    }

    [Fact]
    public async Task A_question_of_one_is_answered_through_the_other_and_whoever_waits_hears_of_it()
    {
        using var one = _one.Client(_key);
        using var two = _two.Client(_key);
        // The command line makes the key that may decide, so it sees links.
        using var decider = _one.Client(_decider);
        (await one.PutAsJsonAsync("/api/v1/agents/p", new { kind = "pull" })).EnsureSuccessStatusCode();
        (
            await one.PutAsJsonAsync("/api/v1/approval-services/default", new { secrets = new[] { Asking.Secret } })
        ).EnsureSuccessStatusCode();
        foreach (var byLink in new[] { false, true })
        {
            var run = (await PostAsync(one, "/api/v1/runs", new { agent = "p" })).GetProperty("id").GetString();
            await PostAsync(one, $"/api/v1/runs/{run}/status", new { status = "running" });
            var asked = await PostAsync(decider, $"/api/v1/executions/{run}/request-approval", new { title = "q" });
            var waiting = one.GetFromJsonAsync<JsonElement>($"/api/v1/executions/{run}/approval-status?wait=55");
            var body = JsonSerializer.Serialize(
                new { requestId = asked.GetProperty("approval_request_id").GetString(), decision = "approved" }
            );
            // The other node knows the service's secret within a second.
            await WaitFor.TrueAsync(
                async () =>
                {
                    using var decision = byLink
                        ? new HttpRequestMessage(
                            HttpMethod.Post,
                            new Uri(asked.GetProperty("approval_request_url").GetString()!).AbsolutePath
                        )
                        {
                            Content = new FormUrlEncodedContent([new("decision", "approved")]),
                        }
                        : new HttpRequestMessage(HttpMethod.Post, "/api/v1/webhooks/approval-response")
                        {
                            Content = new StringContent(body),
                        };
                    if (!byLink)
                        decision.Headers.Add(Asking.Sign(body).Item1, Asking.Sign(body).Item2);
                    using var answer = await two.SendAsync(decision);
                    return answer.IsSuccessStatusCode;
                },
                TimeSpan.FromSeconds(1)
            );
            var told = await waiting.WaitAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(
                ("approved", byLink ? "link" : "default"),
                (told.GetProperty("status").GetString(), told.GetProperty("decided_by").GetString())
            );
        }
    }

    [Fact]
    public async Task An_append_through_one_is_seen_by_a_stream_on_the_other_within_a_quarter_of_a_second()
    {
        using var one = _one.Client(_key);
        using var two = _two.Client(_key);
        await PostAsync(
            one,
            "/api/v1/sessions",
            new
            {
                type = "chat",
                externalId = "far",
                taskIdentifier = "echo",
                triggerConfig = new { basePayload = new { } },
            }
        );
        await using var stream = await StreamAsync(two, "/realtime/v1/sessions/far/out");
        await PostAsync(one, "/realtime/v1/sessions/far/out/append", "warm");
        await stream.NextAsync();
        var times = new List<double>();
        for (var i = 0; i < 20; i++)
        {
            var watch = Stopwatch.StartNew();
            await PostAsync(one, "/realtime/v1/sessions/far/out/append", "record" + i);
            await stream.NextAsync();
            times.Add(watch.Elapsed.TotalMilliseconds);
        }
        Assert.True(times.Max() < 250, string.Join(", ", times));
    }

    [Fact]
    public async Task A_key_revoked_on_one_is_refused_and_its_streams_ended_on_the_other_within_a_second()
    {
        using var one = _one.Client(_key);
        await PostAsync(one, "/sessions/s/messages", new { role = "user", content = "hello" });
        var made = await PostAsync(one, "/api/v1/keys", new { name = "to be revoked" });
        using var two = _two.Client(made.GetProperty("key").GetString()!);
        await using var stream = await StreamAsync(two, "/sessions/s/history");
        await stream.NextAsync();
        using var _ = await one.DeleteAsync("/api/v1/keys/" + made.GetProperty("id").GetString());
        var end = await stream.NextAsync(TimeSpan.FromSeconds(1));
        Assert.Equal("revoked", end!.Json.GetProperty("reason").GetString());
        using var refused = await two.GetAsync("/sessions/s/history");
        Assert.Equal(401, (int)refused.StatusCode);
    }

    [Fact]
    public async Task A_revocation_stands_after_the_node_that_made_it_was_killed()
    {
        using var one = _one.Client(_key);
        using var two = _two.Client(_key);
        await PostAsync(two, "/sessions/s/messages", new { role = "user", content = "hello" });
        var token = (await PostAsync(one, "/api/v1/auth/public-tokens", new { scopes = new[] { "read:sessions" } }))
            .GetProperty("token")
            .GetString()!;
        using var holder = _two.Client(token);
        Assert.Equal(200, (int)(await holder.GetAsync("/sessions/s/history")).StatusCode);
        await PostAsync(one, "/api/v1/auth/revoke", new { token });
        await _one.KillAsync();
        await WaitFor.TrueAsync(
            async () => (int)(await holder.GetAsync("/sessions/s/history")).StatusCode == 401,
            TimeSpan.FromSeconds(1)
        );
    }

    [Fact]
    public async Task A_run_is_claimed_reported_and_waited_for_across_both_and_an_ended_secret_opens_neither()
    {
        using var one = _one.Client(_key);
        using var two = _two.Client(_key);
        // The command line makes the key that may decide, so it sees links.
        using var decider = _one.Client(_decider);
        (await one.PutAsJsonAsync("/api/v1/agents/p", new { kind = "pull" })).EnsureSuccessStatusCode();
        var claim = PostAsync(two, "/api/v1/agents/p/claim", new { waitSeconds = 20 });
        var id = (await PostAsync(one, "/api/v1/runs", new { agent = "p" })).GetProperty("id").GetString()!;
        Assert.Equal(id, (await claim).GetProperty("data")[0].GetProperty("run").GetProperty("id").GetString());
        var wait = two.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{id}?wait=20");
        var secret = await PostAsync(one, "/api/v1/callback-secrets", new { });
        await WaitFor.TrueAsync(
            async () => (int)(await ReportAsync(two, "running")).StatusCode == 204,
            TimeSpan.FromSeconds(1)
        );
        var watch = Stopwatch.StartNew();
        Assert.Equal(204, (int)(await ReportAsync(one, "succeeded")).StatusCode);
        Assert.Equal("succeeded", (await wait).GetProperty("phase").GetString());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), "the waiter on the other node is told");
        using var _ = await one.DeleteAsync("/api/v1/callback-secrets/" + secret.GetProperty("id").GetString());
        await WaitFor.TrueAsync(
            async () => (int)(await ReportAsync(two, "running")).StatusCode == 401,
            TimeSpan.FromSeconds(1)
        );

        async Task<HttpResponseMessage> ReportAsync(HttpClient http, string status)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/internal/jobs/{id}/status")
            {
                Content = JsonContent.Create(
                    new
                    {
                        event_id = Guid.NewGuid(),
                        status,
                        occurred_at = TimeProvider.System.GetUtcNow(),
                        correlation_id = "nodes",
                    }
                ),
            };
            request.Headers.Add("X-Callback-Secret", secret.GetProperty("secret").GetString());
            return await http.SendAsync(request);
        }
    }

    [Fact]
    public async Task A_one_time_token_opens_once_across_both()
    {
        using var one = _one.Client(_key);
        await PostAsync(one, "/sessions/s/messages", new { role = "user", content = "hello" });
        var token = (
            await PostAsync(
                one,
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "read:sessions" }, oneTimeUse = true }
            )
        )
            .GetProperty("token")
            .GetString()!;
        using var first = _one.Client(token);
        using var second = _two.Client(token);
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 32).Select(i => (i % 2 == 0 ? first : second).GetAsync("/sessions/s/history"))
        );
        Assert.Equal(1, answers.Count(a => (int)a.StatusCode == 200));
        Assert.Equal(31, answers.Count(a => (int)a.StatusCode == 401));
    }

    [Fact]
    public async Task A_turn_whose_node_was_killed_is_finished_by_the_other()
    {
        using var two = _two.Client(_key);
        await PostAsync(
            two,
            "/api/v1/sessions",
            new
            {
                type = "chat",
                externalId = "moved",
                taskIdentifier = "echo",
                triggerConfig = new { basePayload = new { } },
            }
        );
        var words = string.Join(' ', Enumerable.Range(0, 400).Select(i => "w" + i));
        await PostAsync(
            two,
            "/realtime/v1/sessions/moved/in/append",
            new
            {
                kind = "message",
                payload = new
                {
                    chatId = "moved",
                    trigger = "submit-message",
                    message = new { role = "user", parts = new[] { new { type = "text", text = words } } },
                },
            }
        );
        await using (var stream = await StreamAsync(two, "/realtime/v1/sessions/moved/out"))
            await stream.RecordsAsync(r => r.Count > 10);
        // The node that has the turn is killed. The other one continues after the lease, and repeats no record.
        await _one.KillAsync();
        await using var rest = await StreamAsync(two, "/realtime/v1/sessions/moved/out");
        var records = await rest.RecordsAsync(r => r.Any(EventReader.IsTurnComplete));
        Assert.Equal(Enumerable.Range(0, records.Count), records.Select(r => r.GetProperty("seq_num").GetInt32()));
        var history = await two.GetFromJsonAsync<JsonElement>("/sessions/moved/history?full=1");
        Assert.Equal(
            words,
            history.GetProperty("messages")[1].GetProperty("content")[0].GetProperty("text").GetString()
        );
    }
}
