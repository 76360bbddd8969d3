using System.Text;
using System.Text.Json;
using Postern.Access;

namespace Postern.Support;

/// <summary>
/// A valid request for every door, by its row in the door table. A new door needs an entry here. Then it is part of the
/// matrix in time, with every way in which the authority behind it can end.
/// </summary>
internal static class DoorRequests
{
    private delegate Task<DoorRequest> Make(TimeScene scene);

    private static readonly Dictionary<string, Make> Table = Build();

    public static Task<DoorRequest> OfAsync(Door door, TimeScene scene) =>
        Table.TryGetValue($"{door.Method} {door.Path}", out var make)
            ? make(scene)
            : throw new InvalidOperationException(
                $"{door.Method} {door.Path} has no valid request: add one to DoorRequests, so that it is tried at "
                    + "every moment at which authority may end."
            );

    private static Dictionary<string, Make> Build()
    {
        var table = new Dictionary<string, Make>(StringComparer.Ordinal);
        AddKeys(table);
        AddAgentsAndRuns(table);
        AddSessions(table);
        AddApprovals(table);
        AddDeliveries(table);
        BulkDoorRequests.AddTo((door, make) => table[door] = s => make(s));
        ConsoleDoorRequests.AddTo((door, make) => table[door] = s => make(s));
        foreach (var kind in (string[])["user", "org"])
            AddTriggers(table, kind);
        return table;
    }

    private static void AddKeys(Dictionary<string, Make> table)
    {
        table["GET /api/v1/keys"] = _ => Plain("admin", "/api/v1/keys");
        table["POST /api/v1/keys"] = s =>
            Plain("admin", "/api/v1/keys", new { name = s.Name, scopes = new[] { "read:runs" } });
        table["PATCH /api/v1/keys/{id}"] = async s =>
            new("admin", "/api/v1/keys/" + await KeyAsync(s), new { name = "renamed" });
        table["DELETE /api/v1/keys/{id}"] = async s => new("admin", "/api/v1/keys/" + await KeyAsync(s));
        table["POST /api/v1/keys/{id}/rotate"] = async s =>
            new("admin", $"/api/v1/keys/{await KeyAsync(s)}/rotate", new { overlapSeconds = 60 });
        table["GET /api/v1/projects"] = _ => Plain(null, "/api/v1/projects");
        table["POST /api/v1/projects"] = s => Plain(null, "/api/v1/projects", new { name = s.Name });
        table["GET /api/v1/relay"] = _ => Plain("admin", "/api/v1/relay");
        table["GET /api/v1/audit"] = _ => Plain("admin", "/api/v1/audit");
        table["GET /api/v1/metrics"] = _ => Plain("read:runs", "/api/v1/metrics");
        table["POST /api/v1/auth/jwt/claims"] = _ => Plain(null, "/api/v1/auth/jwt/claims");
        table["POST /api/v1/auth/jwt"] = _ =>
            Plain("read:runs", "/api/v1/auth/jwt", new { claims = new { scopes = new[] { "read:runs" } } });
        table["POST /api/v1/auth/public-tokens"] = _ =>
            Plain("read:runs", "/api/v1/auth/public-tokens", new { scopes = new[] { "read:runs" } });
        table["POST /api/v1/auth/revoke"] = s => Plain("admin", "/api/v1/auth/revoke", new { jti = s.Name });
        table["POST /api/v1/projects/{ref}/{env}/jwt"] = _ =>
            Plain(null, "/api/v1/projects/default/prod/jwt", new { claims = new { scopes = new[] { "read:runs" } } });
        table["GET /api/v1/projects/{ref}/{env}/workers/current"] = _ =>
            Plain("read:tasks", "/api/v1/projects/default/prod/workers/current");
        table["GET /api/v2/whoami"] = _ => Plain(null, "/api/v2/whoami");
        table["GET /api/v1/callback-secrets"] = _ => Plain("admin", "/api/v1/callback-secrets");
        table["POST /api/v1/callback-secrets"] = async s =>
        {
            await FreeCallbackSecretsAsync(s);
            return new("admin", "/api/v1/callback-secrets", new { });
        };
        table["DELETE /api/v1/callback-secrets/{id}"] = async s =>
        {
            await FreeCallbackSecretsAsync(s);
            return new(
                "admin",
                "/api/v1/callback-secrets/"
                    + (await s.OkAsync(HttpMethod.Post, "/api/v1/callback-secrets", null)).String("id")
            );
        };
        table["POST /api/v1/callback-token-secrets/rotate"] = _ =>
            Plain("admin", "/api/v1/callback-token-secrets/rotate");
    }

    private static void AddAgentsAndRuns(Dictionary<string, Make> table)
    {
        table["GET /api/v1/agents"] = _ => Plain("read:tasks", "/api/v1/agents");
        table["GET /api/v1/agents/{slug}"] = async s =>
            new("read:tasks:" + await s.AgentAsync(), "/api/v1/agents/" + s.Name);
        table["PUT /api/v1/agents/{slug}"] = async s =>
            new("admin:tasks:" + await s.AgentAsync(), "/api/v1/agents/" + s.Name, new { kind = "pull" });
        table["DELETE /api/v1/agents/{slug}"] = async s =>
            new("admin:tasks:" + await s.AgentAsync(), "/api/v1/agents/" + s.Name);
        table["POST /api/v1/agents/{slug}/claim"] = async s =>
            new("write:tasks:" + await s.AgentAsync(), $"/api/v1/agents/{s.Name}/claim", new { });
        table["GET /api/v1/workflows"] = _ => Plain("read:runs", "/api/v1/workflows");
        table["GET /api/v1/workflows/{workflow}"] = async s =>
        {
            await s.OkAsync(HttpMethod.Put, "/api/v1/workflows/" + s.Name, Workflow);
            return new("read:runs", "/api/v1/workflows/" + s.Name);
        };
        table["PUT /api/v1/workflows/{workflow}"] = s => Plain("admin", "/api/v1/workflows/" + s.Name, Workflow);

        table["GET /api/v1/runs"] = _ => Plain("read:runs", "/api/v1/runs");
        table["POST /api/v1/runs"] = async s =>
            new("trigger:tasks:" + await s.AgentAsync(), "/api/v1/runs", new { agent = s.Name });
        table["GET /api/v1/runs/{run}"] = s => OfRun(s, "read", "");
        table["GET /api/v1/runs/{run}/events"] = s => OfRun(s, "read", "/events");
        table["POST /api/v1/runs/{run}/start"] = async s =>
        {
            var run = (
                await s.OkAsync(HttpMethod.Post, "/api/v1/runs", new { agent = await s.AgentAsync(), start = false })
            ).String("id");
            return new("write:runs:" + run, $"/api/v1/runs/{run}/start");
        };
        table["POST /api/v1/runs/{run}/cancel"] = s => OfRun(s, "write", "/cancel", new { reason = "late" });
        table["POST /api/v1/runs/{run}/pause"] = s => OfRun(s, "write", "/pause");
        table["POST /api/v1/runs/{run}/resume"] = async s =>
        {
            await s.OkAsync(HttpMethod.Post, $"/api/v1/runs/{await s.RunAsync()}/pause", null);
            return await OfRun(s, "write", "/resume");
        };
        table["POST /api/v1/runs/{run}/retry"] = async s =>
        {
            var run = (await s.OkAsync(HttpMethod.Post, "/api/v1/runs", new { agent = await s.AgentAsync() })).String(
                "id"
            );
            await s.ClaimAsync(5);
            await s.OkAsync(
                HttpMethod.Post,
                $"/api/v1/runs/{run}/status",
                new { status = "failed", failure = new { code = "broken" } }
            );
            return new("write:runs:" + run, $"/api/v1/runs/{run}/retry", new { clientRequestId = s.Name });
        };
        table["POST /api/v1/runs/{run}/status"] = s =>
            OfRun(s, "write", "/status", new { status = "running", progress = 0.5 });
        table["POST /api/v1/runs/{run}/heartbeat"] = s => OfRun(s, "write", "/heartbeat", new { });
        foreach (var prefix in (string[])["", "/api/v1"])
            table[$"POST {prefix}/internal/jobs/{{run}}/status"] = async s =>
                new(
                    null,
                    $"{prefix}/internal/jobs/{await s.RunAsync()}/status",
                    new
                    {
                        event_id = s.Name,
                        status = "succeeded",
                        occurred_at = DateTimeOffset.UtcNow,
                        correlation_id = s.Name,
                    }
                );
        table["POST /api/callbacks/execution"] = async s =>
            new(
                null,
                "/api/callbacks/execution",
                new
                {
                    sessionId = await s.SessionIdAsync(),
                    cloudAgentSessionId = await s.SessionIdAsync(),
                    status = "completed",
                }
            );
    }

    private static void AddSessions(Dictionary<string, Make> table)
    {
        table["GET /api/v1/sessions"] = _ => Plain("read:sessions", "/api/v1/sessions");
        table["POST /api/v1/sessions"] = async s =>
            new(
                "write:tasks:" + await s.AgentAsync(),
                "/api/v1/sessions",
                new
                {
                    type = "chat",
                    externalId = s.Name + "-new",
                    taskIdentifier = s.Name,
                    triggerConfig = new { basePayload = new { } },
                }
            );
        table["GET /api/v1/sessions/{session}"] = s => OfSession(s, "read", "/api/v1/sessions/{session}");
        table["GET /api/v1/sessions/{session}/transcript"] = s =>
            OfSession(s, "read", "/api/v1/sessions/{session}/transcript");
        table["PATCH /api/v1/sessions/{session}"] = s =>
            OfSession(s, "admin", "/api/v1/sessions/{session}", new { tags = new[] { "late" } });
        table["POST /api/v1/sessions/{session}/close"] = s =>
            OfSession(s, "admin", "/api/v1/sessions/{session}/close", new { reason = "late" });
        table["POST /api/v1/sessions/{session}/end-and-continue"] = async s =>
            await OfSession(
                s,
                "write",
                "/api/v1/sessions/{session}/end-and-continue",
                new { callingRunId = await s.RunAsync(), reason = "late" }
            );
        foreach (
            var (pattern, path) in (ReadOnlySpan<(string, string)>)
                [("/{io}", "/in"), ("/channels/{name}/{io}", "/channels/side/in")]
        )
        {
            const string prefix = "/realtime/v1/sessions/{session}";
            table[$"GET {prefix}{pattern}"] = s => OfSession(s, "read", prefix + path);
            table[$"HEAD {prefix}{pattern}"] = s => OfSession(s, "read", prefix + path);
            table[$"GET {prefix}{pattern}/records"] = s => OfSession(s, "read", prefix + path + "/records");
            table[$"POST {prefix}{pattern}/append"] = async s =>
                await OfSession(s, "write", prefix + path + "/append", Chat.Message(await s.SessionIdAsync(), "late"));
            table[$"POST {prefix}{pattern}/records"] = s =>
                OfSession(s, "write", prefix + path + "/records", new { records = new[] { new { data = "late" } } });
            table[$"PUT {prefix}{pattern}"] = async s =>
                await OfSession(s, "write", prefix + path) with
                {
                    Success = 501,
                };
        }
        foreach (var method in (string[])["GET", "HEAD"])
            table[method + " /sessions/{key}/history"] = async s =>
                new("read:sessions:" + await s.SessionIdAsync(), await HistoryAsync(s) + "/history");
        table["POST /sessions/{key}/messages"] = async s =>
            new(
                "write:sessions:" + await s.SessionIdAsync(),
                await HistoryAsync(s) + "/messages",
                new { role = "user", content = "late" }
            );
        table["POST /sessions/{key}/kill"] = async s => new("admin", await HistoryAsync(s) + "/kill");
    }

    private static void AddApprovals(Dictionary<string, Make> table)
    {
        table["GET /api/v1/approval-services"] = _ => Plain("admin", "/api/v1/approval-services");
        table["GET /api/v1/approval-services/{service}"] = async s =>
            new("admin", "/api/v1/approval-services/" + await ServiceAsync(s, "default"));
        table["PUT /api/v1/approval-services/{service}"] = s =>
            Plain("admin", "/api/v1/approval-services/put", new { secrets = new[] { TimeWorld.Secret } });
        table["DELETE /api/v1/approval-services/{service}"] = async s =>
            new("admin", "/api/v1/approval-services/" + await ServiceAsync(s, "deleted"));
        table["GET /api/v1/approvals"] = _ => Plain("read:approvals", "/api/v1/approvals");
        table["GET /api/v1/approvals/{approval}"] = async s =>
            new("read:approvals:" + await s.QuestionAsync(), "/api/v1/approvals/" + await s.QuestionAsync());
        table["POST /api/v1/executions/{run}/approval-response"] = async s =>
            new(
                "write:approvals:" + await s.QuestionAsync(),
                $"/api/v1/executions/{await s.RunAsync()}/approval-response",
                new { decision = "approved" }
            );
        foreach (var prefix in (string[])["/api/v1", "/api/v1/agents/{slug}"])
        {
            table[$"POST {prefix}/executions/{{run}}/request-approval"] = async s =>
                new(
                    "write:runs:" + await s.RunAsync(),
                    $"{Named(prefix, s)}/executions/{await s.RunAsync()}/request-approval",
                    new { title = "Late?" }
                );
            table[$"GET {prefix}/executions/{{run}}/approval-status"] = async s =>
            {
                await s.QuestionAsync();
                return new(
                    "read:runs:" + await s.RunAsync(),
                    $"{Named(prefix, s)}/executions/{await s.RunAsync()}/approval-status"
                );
            };
        }
        foreach (var path in (string[])["", "/{project}"])
        {
            table["POST /api/v1/webhooks/approval-response" + path] = async s =>
            {
                await ServiceAsync(s, "default");
                var body = JsonSerializer.Serialize(
                    new
                    {
                        requestId = await s.QuestionAsync(),
                        decision = "approved",
                        feedback = "late",
                    }
                );
                return new(
                    null,
                    "/api/v1/webhooks/approval-response"
                        + path.Replace("{project}", s.World.Project, StringComparison.Ordinal),
                    Encoding.UTF8.GetBytes(body),
                    Headers: Asking.Sign(body, TimeWorld.Secret)
                );
            };
        }
        table["GET /approvals/{token}"] = async s => new(null, await s.LinkAsync());
        table["POST /relay/v1/answers/{plane}/{page}"] = async s =>
        {
            var (path, body) = await SealedAnswers.ApproveAsync(s.Server, await s.QuestionAsync());
            return new DoorRequest(null, path, body);
        };
        table["POST /approvals/{token}"] = async s =>
            new(
                null,
                await s.LinkAsync(),
                Encoding.ASCII.GetBytes("decision=approved&comment=" + new string('x', 100)),
                "application/x-www-form-urlencoded",
                303
            );
    }

    private static void AddDeliveries(Dictionary<string, Make> table)
    {
        table["GET /api/v1/webhook-endpoints"] = _ => Plain("read:deliveries", "/api/v1/webhook-endpoints");
        table["GET /api/v1/webhook-endpoints/{endpoint}"] = async s =>
            new("read:deliveries", "/api/v1/webhook-endpoints/" + await s.EndpointAsync());
        table["PUT /api/v1/webhook-endpoints/{endpoint}"] = async s =>
            new(
                "write:deliveries",
                "/api/v1/webhook-endpoints/" + await s.EndpointAsync(),
                new { url = s.World.Receiver.Url, events = new[] { "session.closed" } }
            );
        table["DELETE /api/v1/webhook-endpoints/{endpoint}"] = async s =>
            new("write:deliveries", "/api/v1/webhook-endpoints/" + await s.EndpointAsync());
        table["POST /api/v1/webhook-endpoints/{endpoint}/rotate-secret"] = async s =>
            new("write:deliveries", $"/api/v1/webhook-endpoints/{await s.EndpointAsync()}/rotate-secret", new { });
        table["POST /api/v1/webhook-endpoints/{endpoint}/test"] = async s =>
            new("write:deliveries", $"/api/v1/webhook-endpoints/{await s.EndpointAsync()}/test");
        table["GET /api/v1/deliveries"] = _ => Plain("read:deliveries", "/api/v1/deliveries");
        table["GET /api/v1/deliveries/{delivery}"] = async s =>
            new("read:deliveries", "/api/v1/deliveries/" + await s.DeliveryAsync());
        table["POST /api/v1/deliveries/{delivery}/retry"] = async s =>
            new("write:deliveries", $"/api/v1/deliveries/{await s.DeliveryAsync()}/retry");
        table["POST /api/v1/deliveries/replay"] = async s =>
        {
            await s.DeliveryAsync();
            return new(
                "write:deliveries",
                "/api/v1/deliveries/replay",
                new
                {
                    endpoint = s.Name,
                    status = "delivered",
                    since = "2020-01-01T00:00:00Z",
                }
            );
        };
        table["GET /api/v1/events"] = _ => Plain("read:deliveries", "/api/v1/events");
    }

    private static void AddTriggers(Dictionary<string, Make> table, string kind)
    {
        var pattern = $"/api/triggers/{kind}/{{owner}}/{{trigger}}";
        table["GET /api/triggers"] = _ => Plain("read:triggers", "/api/triggers");
        table["POST " + pattern] = async s =>
            new(
                "write:triggers",
                $"/api/triggers/{kind}/time/{s.Name}",
                new { promptTemplate = "late", agent = await s.AgentAsync() }
            );
        table["GET " + pattern] = async s => new("read:triggers", await s.TriggerAsync(kind));
        table["PUT " + pattern] = async s =>
            new("write:triggers", await s.TriggerAsync(kind), new { promptTemplate = "late" });
        table["DELETE " + pattern] = async s => new("write:triggers", await s.TriggerAsync(kind));
        table[$"GET {pattern}/requests"] = async s => new("read:triggers", await s.TriggerAsync(kind) + "/requests");
        table[$"GET {pattern}/requests/{{request}}"] = async s =>
            new("read:triggers", $"{await s.TriggerAsync(kind)}/requests/{await s.CaptureAsync(kind)}");
        table[$"POST {pattern}/requests/{{request}}/replay"] = async s =>
            new(
                "trigger:triggers",
                $"{await s.TriggerAsync(kind)}/requests/{await s.CaptureAsync(kind)}/replay",
                new { body = "late" }
            );
        table[$"POST {pattern}/invoke"] = async s =>
        {
            await s.OkAsync(
                HttpMethod.Post,
                $"/api/triggers/{kind}/time/{s.Name}",
                new
                {
                    promptTemplate = "late",
                    agent = await s.AgentAsync(),
                    activationMode = "scheduled",
                    cronExpression = "0 0 1 1 *",
                }
            );
            return new("trigger:triggers", $"/api/triggers/{kind}/time/{s.Name}/invoke");
        };
        foreach (var prefix in (string[])["/inbound", "/inbound/{project}"])
        {
            table[$"ANY {prefix}/{kind}/{{owner}}/{{trigger}}"] = async s =>
            {
                await s.TriggerAsync(kind);
                var body = JsonSerializer.Serialize(new { s.Name, padding = new string('x', 100) });
                return new(
                    null,
                    $"{prefix.Replace("{project}", s.World.Project, StringComparison.Ordinal)}/{kind}/time/{s.Name}",
                    Encoding.UTF8.GetBytes(body),
                    Headers: Asking.Sign256(body, TimeWorld.Secret)
                );
            };
        }
    }

    private static Task<DoorRequest> Plain(string? scope, string path, object? body = null) =>
        Task.FromResult(new DoorRequest(scope, path, body));

    private static async Task<DoorRequest> OfRun(TimeScene s, string action, string more, object? body = null) =>
        new($"{action}:runs:{await s.RunAsync()}", $"/api/v1/runs/{await s.RunAsync()}{more}", body);

    private static async Task<DoorRequest> OfSession(TimeScene s, string action, string path, object? body = null) =>
        new(
            $"{action}:sessions:{await s.SessionIdAsync()}",
            path.Replace("{session}", await s.SessionIdAsync(), StringComparison.Ordinal),
            body
        );

    private static async Task<string> HistoryAsync(TimeScene s) =>
        "/sessions/" + Uri.EscapeDataString((await s.SessionAsync()).GetProperty("key").GetString()!);

    private static string Named(string prefix, TimeScene s) =>
        prefix.Replace("{slug}", s.Name, StringComparison.Ordinal);

    private static async Task<string> KeyAsync(TimeScene s) => (await s.Server.NamedKeyAsync(s.Name, "read:runs")).Id;

    private static async Task<string> ServiceAsync(TimeScene s, string name)
    {
        await s.OkAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/" + name,
            new { secrets = new[] { TimeWorld.Secret } }
        );
        return name;
    }

    /// <summary>A project may have at most two.</summary>
    public static async Task FreeCallbackSecretsAsync(TimeScene s)
    {
        foreach (
            var one in (await s.OkAsync(HttpMethod.Get, "/api/v1/callback-secrets", null))
                .Json.GetProperty("data")
                .EnumerateArray()
        )
            await s.OkAsync(HttpMethod.Delete, "/api/v1/callback-secrets/" + one.GetProperty("id").GetString(), null);
    }

    private static object Workflow { get; } =
        File.ReadAllText(Repository.File("samples/workflows/media-pipeline.json"));
}
