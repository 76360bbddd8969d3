using System.Text.Json;

namespace Postern.Support;

/// <summary>
/// The surroundings of one request of the matrix in time: an agent, a session, a run that a worker has. They are made
/// once, when they are asked for. Every scene has its own, so that one request does not affect another.
/// </summary>
internal sealed class TimeScene(TimeWorld world)
{
    private static int _count;
    private readonly Dictionary<string, object> _made = new(StringComparer.Ordinal);

    /// <summary>A name that no other scene has.</summary>
    public string Name { get; } = "time-" + Interlocked.Increment(ref _count);

    /// <summary>For how many seconds the worker has its run.</summary>
    public int Lease { get; init; } = 3600;

    public TimeWorld World => world;

    public TestServer Server => world.Server;

    /// <summary>An agent that fetches its work and has no short deadlines.</summary>
    public Task<string> AgentAsync() =>
        OnceAsync(
            "agent",
            async () =>
            {
                await OkAsync(
                    HttpMethod.Put,
                    "/api/v1/agents/" + Name,
                    new
                    {
                        kind = "pull",
                        idleSeconds = 3600,
                        deadlines = new
                        {
                            queuedSeconds = 604_800,
                            turnSeconds = 86_400,
                            totalSeconds = 2_592_000,
                        },
                    }
                );
                return Name;
            }
        );

    /// <summary>A session whose run has begun to wait for a message.</summary>
    public Task<JsonElement> SessionAsync() =>
        OnceAsync(
            "session",
            async () =>
            {
                var triggerConfig = new { basePayload = new { } };
                var started = new
                {
                    type = "chat",
                    externalId = Name,
                    taskIdentifier = await AgentAsync(),
                    triggerConfig,
                };
                var session = (await OkAsync(HttpMethod.Post, "/api/v1/sessions", started)).Json;
                var run = "/api/v1/runs/" + session.GetProperty("runId").GetString();
                await WaitFor.TrueAsync(async () =>
                    (await OkAsync(HttpMethod.Get, run, null)).String("phase") == "running"
                );
                return session;
            }
        );

    public async Task<string> SessionIdAsync() => (await SessionAsync()).GetProperty("id").GetString()!;

    /// <summary>A run in the session, in the form that its worker got.</summary>
    public Task<JsonElement> ClaimedAsync() =>
        OnceAsync(
            "claimed",
            async () =>
            {
                var session = await SessionIdAsync();
                await OkAsync(
                    HttpMethod.Post,
                    $"/realtime/v1/sessions/{session}/in/append",
                    Chat.Message(session, "work")
                );
                return await ClaimAsync(5, Lease);
            }
        );

    /// <summary>Claims the next run of the agent.</summary>
    public async Task<JsonElement> ClaimAsync(int attempt, int lease = 3600)
    {
        for (; attempt > 0; attempt--)
            if (
                (
                    await OkAsync(
                        HttpMethod.Post,
                        $"/api/v1/agents/{await AgentAsync()}/claim",
                        new { waitSeconds = 10, leaseSeconds = lease }
                    )
                ).Json.GetProperty("data")
                    is { } data
                && data.GetArrayLength() > 0
            )
                return data[0];
        throw new TimeoutException("Nothing could be claimed.");
    }

    public async Task<string> RunAsync() => (await ClaimedAsync()).GetProperty("run").GetProperty("id").GetString()!;

    public async Task<string> RunTokenAsync() => (await ClaimedAsync()).GetProperty("token").GetString()!;

    /// <summary>Asks a question. Returns its id.</summary>
    public Task<string> QuestionAsync() =>
        OnceAsync(
            "question",
            async () =>
                (
                    await OkAsync(
                        HttpMethod.Post,
                        $"/api/v1/executions/{await RunAsync()}/request-approval",
                        new { title = "Go?" },
                        await RunTokenAsync()
                    )
                ).String("approval_request_id")
        );

    /// <summary>Whether the run waits for a person.</summary>
    public bool HasAsked => _made.ContainsKey("question");

    /// <summary>The path of the page that asks the question.</summary>
    public Task<string> LinkAsync() =>
        OnceAsync(
            "link",
            async () =>
                new Uri(
                    (await OkAsync(HttpMethod.Get, "/api/v1/approvals/" + await QuestionAsync(), null)).String(
                        "request_url"
                    )
                ).AbsolutePath
        );

    /// <summary>
    /// Makes a trigger whose requests are signed with <see cref="TimeWorld.Secret"/>. Returns its path.
    /// </summary>
    public Task<string> TriggerAsync(string kind) =>
        OnceAsync(
            "trigger",
            async () =>
            {
                await OkAsync(
                    HttpMethod.Post,
                    $"/api/triggers/{kind}/time/{Name}",
                    new
                    {
                        promptTemplate = "{{body}}",
                        agent = await AgentAsync(),
                        webhookAuth = new { scheme = "sha256", secret = TimeWorld.Secret },
                    }
                );
                return $"/api/triggers/{kind}/time/{Name}";
            }
        );

    /// <summary>Makes a capture. Returns its id.</summary>
    public Task<string> CaptureAsync(string kind) =>
        OnceAsync(
            "capture",
            async () =>
            {
                await TriggerAsync(kind);
                var taken = await Server.SendAsync(
                    HttpMethod.Post,
                    $"/inbound/{kind}/time/{Name}",
                    null,
                    "{}"u8.ToArray(),
                    Asking.Sign256("{}", TimeWorld.Secret)
                );
                Assert.True(taken.Status == 200, taken.ToString());
                return taken.Json.GetProperty("data").GetProperty("requestId").GetString()!;
            }
        );

    /// <summary>Makes an endpoint for events. Returns its id.</summary>
    public Task<string> EndpointAsync() =>
        OnceAsync(
            "endpoint",
            async () =>
            {
                await OkAsync(
                    HttpMethod.Put,
                    "/api/v1/webhook-endpoints/" + Name,
                    new { url = world.Receiver.Url, events = new[] { "session.closed" } }
                );
                return Name;
            }
        );

    /// <summary>Makes a delivery that has arrived. Returns its id.</summary>
    public Task<string> DeliveryAsync() =>
        OnceAsync(
            "delivery",
            async () =>
            {
                await OkAsync(HttpMethod.Post, $"/api/v1/webhook-endpoints/{await EndpointAsync()}/test", null);
                var id = "";
                await WaitFor.TrueAsync(async () =>
                {
                    var there = (
                        await OkAsync(HttpMethod.Get, $"/api/v1/deliveries?status=delivered&endpoint={Name}", null)
                    ).Json.GetProperty("data");
                    id = there.GetArrayLength() > 0 ? there[0].GetProperty("id").GetString()! : "";
                    return id.Length > 0;
                });
                return id;
            }
        );

    /// <summary>The bulk job that waits, if the scene has one.</summary>
    public string? WaitingJob { get; set; }

    /// <summary>Ends its runs, so that nothing of it becomes due while others are watched.</summary>
    public async Task ClearAsync()
    {
        if (WaitingJob is { } job)
            await Server.SendAsync(HttpMethod.Post, $"/api/v1/bulk/{job}/stop", world.Admin);
        if (_made.ContainsKey("agent"))
            await Server.SendAsync(HttpMethod.Delete, $"/api/v1/agents/{Name}?force=1", world.Admin);
        if (_made.ContainsKey("endpoint"))
            await Server.SendAsync(HttpMethod.Delete, "/api/v1/webhook-endpoints/" + Name, world.Admin);
    }

    public async Task<Answer> OkAsync(HttpMethod method, string path, object? body, string? credential = null)
    {
        var answer = await Server.SendAsync(method, path, credential ?? world.Admin, body);
        Assert.True(answer.Status is >= 200 and < 300, $"{method} {path}: {answer}");
        return answer;
    }

    private async Task<T> OnceAsync<T>(string what, Func<Task<T>> make)
        where T : notnull
    {
        if (_made.TryGetValue(what, out var made))
            return (T)made;
        var fresh = await make();
        _made[what] = fresh;
        return fresh;
    }
}
