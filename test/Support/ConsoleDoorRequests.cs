using Microsoft.Extensions.DependencyInjection;
using Postern.Access;

namespace Postern.Support;

/// <summary>
/// A valid request for every door of the console, for <see cref="DoorRequests"/>. The body of a form is its fields;
/// what every form carries is put before them.
/// </summary>
internal static class ConsoleDoorRequests
{
    private const string Media = "application/x-www-form-urlencoded";

    public static void AddTo(Action<string, Func<TimeScene, Task<DoorRequest>>> add)
    {
        add("GET /console", _ => PageAsync(null, ""));
        add("POST /console/sign-out", _ => FormAsync(null, "/sign-out"));
        add("GET /console/find", _ => PageAsync(null, "/find"));
        add("GET /console/server", _ => PageAsync("admin", "/server"));
        add("GET /console/relay", _ => PageAsync("admin", "/relay"));
        foreach (var list in (string[])["sessions", "runs", "approvals", "deliveries", "triggers"])
            add($"GET /console/{list}/live", _ => PageAsync("read:" + list, $"/{list}/live"));
        add("GET /console/runs", _ => PageAsync("read:runs", "/runs"));
        add("GET /console/runs/{run}", s => OfRunAsync(s, "read", ""));
        add("GET /console/runs/{run}/live", s => OfRunAsync(s, "read", "/live"));
        add("GET /console/runs/{run}/cancel", s => OfRunAsync(s, "write", "/cancel"));
        add("POST /console/runs/{run}/cancel", async s => Sent(await OfRunAsync(s, "write", "/cancel"), "reason=late"));
        add("POST /console/runs/{run}/pause", async s => Sent(await OfRunAsync(s, "write", "/pause")));
        add(
            "POST /console/runs/{run}/resume",
            async s =>
            {
                await s.OkAsync(HttpMethod.Post, $"/api/v1/runs/{await s.RunAsync()}/pause", null);
                return Sent(await OfRunAsync(s, "write", "/resume"));
            }
        );
        add(
            "POST /console/runs/{run}/start",
            async s =>
            {
                var asked = new { agent = await s.AgentAsync(), start = false };
                var run = (await s.OkAsync(HttpMethod.Post, "/api/v1/runs", asked)).String("id");
                return await FormAsync("write:runs:" + run, $"/runs/{run}/start");
            }
        );
        add(
            "POST /console/runs/{run}/retry",
            async s =>
            {
                var asked = new { agent = await s.AgentAsync() };
                var run = (await s.OkAsync(HttpMethod.Post, "/api/v1/runs", asked)).String("id");
                await s.ClaimAsync(5);
                await s.OkAsync(
                    HttpMethod.Post,
                    $"/api/v1/runs/{run}/status",
                    new { status = "failed", failure = new { code = "broken" } }
                );
                return await FormAsync("write:runs:" + run, $"/runs/{run}/retry", "profile=slow");
            }
        );
        add(
            "POST /console/runs/{run}/retry-dispatch",
            async s =>
            {
                // Its agent cannot be reached, so its call waits some seconds for the next try.
                var agent = await s.AgentAsync();
                await s.OkAsync(
                    HttpMethod.Put,
                    "/api/v1/agents/" + agent,
                    new { kind = "http", url = "http://127.0.0.1:1/" }
                );
                var run = (await s.OkAsync(HttpMethod.Post, "/api/v1/runs", new { agent })).String("id");
                await WaitFor.TrueAsync(async () =>
                {
                    var path = "/api/v1/deliveries?status=pending&subject=" + run;
                    var pending = (await s.OkAsync(HttpMethod.Get, path, null)).Json.GetProperty("data");
                    return pending.GetArrayLength() == 1 && pending[0].GetProperty("attemptCount").GetInt32() == 1;
                });
                return await FormAsync("write:deliveries", $"/runs/{run}/retry-dispatch");
            }
        );
        add("GET /console/approvals", _ => PageAsync("read:approvals", "/approvals"));
        add("GET /console/approvals/{approval}", s => OfApprovalAsync(s, "read", ""));
        add(
            "POST /console/approvals/{approval}/decide",
            async s => Sent(await OfApprovalAsync(s, "write", "/decide"), "decision=approved")
        );
        foreach (var act in (string[])["aside", "back"])
            add(
                "POST /console/approvals/{approval}/" + act,
                async s => Sent(await OfApprovalAsync(s, "read", "/" + act))
            );
        AddKeysTo(add);
        add("GET /console/deliveries", _ => PageAsync("read:deliveries", "/deliveries"));
        add(
            "GET /console/deliveries/{delivery}",
            async s => new("read:deliveries", "/console/deliveries/" + await s.DeliveryAsync())
        );
        add(
            "POST /console/deliveries/{delivery}/retry",
            async s => await FormAsync("write:deliveries", $"/deliveries/{await s.DeliveryAsync()}/retry")
        );
        AddTriggers(add);
        AddPlaces(add);
        add("GET /console/sessions", _ => PageAsync("read:sessions", "/sessions"));
        add("GET /console/sessions/{session}", s => OfSessionAsync(s, "read", ""));
        add("GET /console/sessions/{session}/live", s => OfSessionAsync(s, "read", "/live"));
        add(
            "POST /console/sessions/{session}/say",
            async s => Sent(await OfSessionAsync(s, "write", "/say"), "text=late")
        );
        add(
            "POST /console/sessions/{session}/note",
            async s => Sent(await OfSessionAsync(s, "write", "/note"), "note=late")
        );
        add("GET /console/settings", _ => PageAsync(null, "/settings"));
        add(
            "POST /console/settings/look",
            _ => FormAsync(null, "/settings/look", "theme=dark&zone=UTC&times=ago&keys=on")
        );
        add("POST /console/settings/end-others", _ => FormAsync(null, "/settings/end-others"));
        add(
            "POST /console/settings/sessions/{console}/end",
            async s =>
            {
                var (key, _) = await ConsoleCookie.OfAsync(s.Server, "read:runs");
                var sessions = s.Server.App.Services.GetRequiredService<ConsoleSessions>();
                var other = (await sessions.ListAsync(key.Project, key.Id))[0];
                return (await FormAsync("admin", $"/settings/sessions/{other.Id}/end")) with { IsAboutWhatEnds = true };
            }
        );
        add("POST /console/sessions/{session}/stop", async s => Sent(await OfSessionAsync(s, "write", "/stop")));
        add("GET /console/sessions/{session}/close", s => OfSessionAsync(s, "admin", "/close"));
        add(
            "POST /console/sessions/{session}/close",
            async s => Sent(await OfSessionAsync(s, "admin", "/close"), "reason=late")
        );
        add(
            "POST /console/sessions/{session}/facts",
            async s => Sent(await OfSessionAsync(s, "admin", "/facts"), "tags=late")
        );
    }

    private static void AddTriggers(Action<string, Func<TimeScene, Task<DoorRequest>>> add)
    {
        const string one = "/console/triggers/{kind}/{owner}/{trigger}";
        add("GET /console/triggers", _ => PageAsync("read:triggers", "/triggers"));
        add("GET /console/triggers/new", _ => PageAsync("write:triggers", "/triggers/new"));
        add(
            "POST /console/triggers",
            async s =>
                await FormAsync(
                    "write:triggers",
                    "/triggers",
                    $"kind=user&owner=time&id={s.Name}&promptTemplate=late&agent={await s.AgentAsync()}"
                )
        );
        add("GET " + one, s => OfTriggerAsync(s, "read", ""));
        add($"GET {one}/live", s => OfTriggerAsync(s, "read", "/live"));
        add($"GET {one}/change", s => OfTriggerAsync(s, "write", "/change"));
        add(
            $"POST {one}/change",
            async s => Sent(await OfTriggerAsync(s, "write", "/change"), "promptTemplate=late&scheme=sha256")
        );
        add($"POST {one}/pause", async s => Sent(await OfTriggerAsync(s, "write", "/pause")));
        add($"POST {one}/resume", async s => Sent(await OfTriggerAsync(s, "write", "/resume")));
        add($"GET {one}/delete", s => OfTriggerAsync(s, "write", "/delete"));
        add($"POST {one}/delete", async s => Sent(await OfTriggerAsync(s, "write", "/delete")));
        add(
            $"POST {one}/invoke",
            async s =>
            {
                await s.OkAsync(
                    HttpMethod.Post,
                    $"/api/triggers/user/time/{s.Name}",
                    new
                    {
                        promptTemplate = "late",
                        agent = await s.AgentAsync(),
                        activationMode = "scheduled",
                        cronExpression = "0 0 1 1 *",
                    }
                );
                return await FormAsync($"trigger:triggers:user/time/{s.Name}", $"/triggers/user/time/{s.Name}/invoke");
            }
        );
        add($"POST {one}/example", async s => Sent(await OfTriggerAsync(s, "write", "/example"), "way=right"));
        add("GET /console/playground", _ => PageAsync(null, "/playground"));
        add(
            "POST /console/playground/webhook",
            async s =>
            {
                await s.TriggerAsync("user");
                var scope = $"user/time/{s.Name}";
                return await FormAsync("write:triggers:" + scope, "/playground/webhook", $"trigger={scope}&body=late");
            }
        );
        add(
            "POST /console/playground/chat",
            async s => await FormAsync("write:sessions", "/playground/chat", $"agent={await s.AgentAsync()}&text=late")
        );
        add(
            "POST /console/playground/run",
            async s => await FormAsync("write:runs", "/playground/run", "agent=" + await s.AgentAsync())
        );
        AddDecisions(add);
        add("GET /console/captures/{capture}", s => OfCaptureAsync(s, "read", ""));
        add(
            "POST /console/captures/{capture}/replay",
            async s => Sent(await OfCaptureAsync(s, "trigger", "/replay"), "other=1&body=late")
        );
    }

    private static void AddDecisions(Action<string, Func<TimeScene, Task<DoorRequest>>> add)
    {
        const string page = "/playground/decision";
        add("GET /console" + page, _ => PageAsync("write:runs", page));
        add(
            $"POST /console{page}/ask",
            _ => FormAsync("write:runs", page + "/ask", "agent=echo&title=late&expires=days")
        );
        add(
            $"POST /console{page}/send",
            async s =>
            {
                var (server, service) = (s.World.Server, await ServiceAsync(s));
                var (_, cookie) = await ConsoleCookie.OfAsync(server, "write:runs");
                var form = cookie.Form($"agent=echo&title=late&expires=days&service={service}");
                var asked = await server.ConsoleAsync(cookie, HttpMethod.Post, $"/console{page}/ask", form);
                var id = asked.Header("Location")!.Split("approval=")[1];
                return await FormAsync(
                    "admin",
                    page + "/send",
                    $"approval={id}&decision=approved&form=timed&way=right"
                );
            }
        );
    }

    private static void AddPlaces(Action<string, Func<TimeScene, Task<DoorRequest>>> add)
    {
        const string reads = "read:deliveries";
        const string writes = "write:deliveries";
        const string one = "/console/endpoints/{endpoint}";
        add("GET /console/endpoints", _ => PageAsync(reads, "/endpoints"));
        add("GET /console/endpoints/new", _ => PageAsync(writes, "/endpoints/new"));
        add(
            "POST /console/endpoints",
            s => FormAsync(writes, "/endpoints", $"id={s.Name}&{EndpointFields(s)}&secret={SigningSecretOf()}")
        );
        add("GET " + one, s => OfEndpointAsync(s, reads, ""));
        add($"POST {one}/change", async s => Sent(await OfEndpointAsync(s, writes, "/change"), EndpointFields(s)));
        add($"POST {one}/enable", async s => Sent(await OfEndpointAsync(s, writes, "/enable")));
        add($"POST {one}/disable", async s => Sent(await OfEndpointAsync(s, writes, "/disable")));
        add($"POST {one}/test", async s => Sent(await OfEndpointAsync(s, writes, "/test")));
        add($"GET {one}/rotate", s => OfEndpointAsync(s, writes, "/rotate"));
        add($"POST {one}/rotate", async s => Sent(await OfEndpointAsync(s, writes, "/rotate")) with { Success = 200 });
        add($"GET {one}/delete", s => OfEndpointAsync(s, writes, "/delete"));
        add($"POST {one}/delete", async s => Sent(await OfEndpointAsync(s, writes, "/delete")));
        add("GET /console/agents", _ => PageAsync("read:tasks", "/agents"));
        add("GET /console/agents/new", _ => PageAsync("admin:tasks", "/agents/new"));
        add("POST /console/agents", s => FormAsync("admin:tasks", "/agents", $"slug={s.Name}&kind=pull"));
        add("GET /console/agents/{slug}", s => OfAgentAsync(s, "read", ""));
        add(
            "POST /console/agents/{slug}/change",
            async s => Sent(await OfAgentAsync(s, "admin", "/change"), "kind=pull&concurrency=9")
        );
        add("GET /console/agents/{slug}/delete", s => OfAgentAsync(s, "admin", "/delete"));
        add(
            "POST /console/agents/{slug}/delete",
            async s => Sent(await OfAgentAsync(s, "admin", "/delete"), "force=1")
        );
        add("GET /console/workflows", _ => PageAsync("read:runs", "/workflows"));
        add("GET /console/workflows/{workflow}", _ => PageAsync("read:runs", "/workflows/agent"));
        add(
            "POST /console/workflows",
            s =>
                FormAsync(
                    "admin",
                    "/workflows",
                    $"name={s.Name}&definition="
                        + Uri.EscapeDataString(
                            "{\"initial\":\"A\",\"states\":{\"A\":{\"phase\":\"queued\",\"to\":[\"B\"]},"
                                + "\"B\":{\"phase\":\"succeeded\",\"to\":[]}}}"
                        )
                )
        );
    }

    private static string EndpointFields(TimeScene s) =>
        $"url={Uri.EscapeDataString(s.World.Receiver.Url)}&events=session.closed&enabled=1";

    private static string SigningSecretOf() => Uri.EscapeDataString("whsec_" + Convert.ToBase64String(new byte[32]));

    private static async Task<DoorRequest> OfEndpointAsync(TimeScene s, string scope, string more) =>
        new(scope, $"/console/endpoints/{await s.EndpointAsync()}{more}");

    private static async Task<DoorRequest> OfAgentAsync(TimeScene s, string action, string more) =>
        new($"{action}:tasks:{await s.AgentAsync()}", $"/console/agents/{await s.AgentAsync()}{more}");

    private static async Task<DoorRequest> OfTriggerAsync(TimeScene s, string action, string more)
    {
        var path = await s.TriggerAsync("user");
        return new($"{action}:triggers:user/time/{s.Name}", "/console" + path["/api".Length..] + more);
    }

    private static async Task<DoorRequest> OfCaptureAsync(TimeScene s, string action, string more) =>
        new($"{action}:triggers:user/time/{s.Name}", $"/console/captures/{await s.CaptureAsync("user")}{more}");

    private static void AddKeysTo(Action<string, Func<TimeScene, Task<DoorRequest>>> add)
    {
        add("GET /console/doors", _ => PageAsync("admin", "/doors"));
        add("GET /console/doors/refused", _ => PageAsync("admin", "/doors/refused"));
        add("GET /console/audit", _ => PageAsync("admin", "/audit"));
        add(
            "GET /console/audit/{row}",
            async s =>
            {
                await KeyAsync(s);
                var rows = (await s.OkAsync(HttpMethod.Get, "/api/v1/audit?action=key.created&limit=1", null)).Json;
                return await PageAsync("admin", "/audit/" + rows.GetProperty("data")[0].GetProperty("id").GetString());
            }
        );
        add("GET /console/keys", _ => PageAsync("admin", "/keys"));
        add(
            "POST /console/keys",
            async s =>
                (await FormAsync("admin", "/keys", $"kind=live&scopes=read%3Aruns&name={s.Name}")) with
                {
                    Success = 200,
                }
        );
        add("GET /console/keys/{key}", async s => await PageAsync("admin", "/keys/" + await KeyAsync(s)));
        add(
            "POST /console/keys/{key}",
            async s => await FormAsync("admin", "/keys/" + await KeyAsync(s), "scopes=read%3Aruns&name=late")
        );
        add("GET /console/keys/{key}/rotate", async s => await PageAsync("admin", $"/keys/{await KeyAsync(s)}/rotate"));
        add(
            "POST /console/keys/{key}/rotate",
            async s =>
                (await FormAsync("admin", $"/keys/{await KeyAsync(s)}/rotate", "overlap=60")) with
                {
                    Success = 200,
                }
        );
        add("GET /console/keys/{key}/revoke", async s => await PageAsync("admin", $"/keys/{await KeyAsync(s)}/revoke"));
        add(
            "POST /console/keys/{key}/revoke",
            async s => await FormAsync("admin", $"/keys/{await KeyAsync(s)}/revoke")
        );
        add(
            "POST /console/callback-secrets",
            async s =>
            {
                await DoorRequests.FreeCallbackSecretsAsync(s);
                return (await FormAsync("admin", "/callback-secrets")) with { Success = 200 };
            }
        );
        add(
            "GET /console/callback-secrets/{secret}/revoke",
            async s => await PageAsync("admin", $"/callback-secrets/{await SecretAsync(s)}/revoke")
        );
        add(
            "POST /console/callback-secrets/{secret}/revoke",
            async s => await FormAsync("admin", $"/callback-secrets/{await SecretAsync(s)}/revoke")
        );
        add(
            "GET /console/approval-services/{service}/delete",
            async s => await PageAsync("admin", $"/approval-services/{await ServiceAsync(s)}/delete")
        );
        add(
            "POST /console/approval-services/{service}/delete",
            async s => await FormAsync("admin", $"/approval-services/{await ServiceAsync(s)}/delete")
        );
        add(
            "POST /console/console-sessions/{console}/end",
            async s =>
            {
                var (key, _) = await ConsoleCookie.OfAsync(s.World.Server, "read:runs");
                var session = await s
                    .World.Get<Postern.Access.ConsoleSessions>()
                    .OfCredentialAsync(key.Project, key.Id, 1);
                return await FormAsync("admin", $"/console-sessions/{session[0].Id}/end");
            }
        );
        add(
            "POST /console/tokens",
            async s => (await FormAsync("admin", "/tokens", "scopes=read%3Aruns&life=1m")) with { Success = 200 }
        );
        add(
            "POST /console/tokens/name",
            async s => await FormAsync("admin", "/tokens/name", "token=" + await s.World.Server.TokenAsync("read:runs"))
        );
        add("GET /console/tokens/revoke", s => PageAsync("admin", "/tokens/revoke?jti=" + s.Name));
        add("POST /console/tokens/revoke", s => FormAsync("admin", "/tokens/revoke", "jti=" + s.Name));
    }

    private static async Task<string> KeyAsync(TimeScene s) => (await s.Server.NamedKeyAsync(s.Name, "read:runs")).Id;

    private static async Task<string> SecretAsync(TimeScene s)
    {
        await DoorRequests.FreeCallbackSecretsAsync(s);
        return (await s.OkAsync(HttpMethod.Post, "/api/v1/callback-secrets", null)).String("id");
    }

    private static async Task<string> ServiceAsync(TimeScene s)
    {
        await s.OkAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/of-console",
            new { secrets = new[] { "a secret that signs nothing in the matrix" } }
        );
        return "of-console";
    }

    private static Task<DoorRequest> PageAsync(string? scope, string path) =>
        Task.FromResult(new DoorRequest(scope, "/console" + path));

    private static Task<DoorRequest> FormAsync(string? scope, string path, string fields = "") =>
        Task.FromResult(Sent(new DoorRequest(scope, "/console" + path), fields));

    /// <summary>The confirmation behind a page leads to a page.</summary>
    private static DoorRequest Sent(DoorRequest page, string fields = "") =>
        page with
        {
            Body = fields,
            Media = Media,
            Success = 303,
        };

    private static async Task<DoorRequest> OfRunAsync(TimeScene s, string action, string more) =>
        new($"{action}:runs:{await s.RunAsync()}", $"/console/runs/{await s.RunAsync()}{more}");

    private static async Task<DoorRequest> OfApprovalAsync(TimeScene s, string action, string more) =>
        new($"{action}:approvals:{await s.QuestionAsync()}", $"/console/approvals/{await s.QuestionAsync()}{more}");

    private static async Task<DoorRequest> OfSessionAsync(TimeScene s, string action, string more) =>
        new($"{action}:sessions:{await s.SessionIdAsync()}", $"/console/sessions/{await s.SessionIdAsync()}{more}");
}
