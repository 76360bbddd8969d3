namespace Postern.Support;

/// <summary>
/// A valid request for every door of the console, for <see cref="DoorRequests"/>. The body of a form is its fields;
/// what
/// every form carries is put before them.
/// </summary>
internal static class ConsoleDoorRequests
{
    private const string Media = "application/x-www-form-urlencoded";

    public static void AddTo(Action<string, Func<TimeScene, Task<DoorRequest>>> add)
    {
        add("GET /console", _ => PageAsync(null, ""));
        add("POST /console/sign-out", _ => FormAsync(null, "/sign-out"));
        add("GET /console/find", _ => PageAsync(null, "/find"));
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
        add("GET /console/approvals", _ => PageAsync("read:approvals", "/approvals"));
        add("GET /console/approvals/{approval}", s => OfApprovalAsync(s, "read", ""));
        add(
            "POST /console/approvals/{approval}/decide",
            async s => Sent(await OfApprovalAsync(s, "write", "/decide"), "decision=approved")
        );
        add("GET /console/deliveries", _ => PageAsync("read:deliveries", "/deliveries"));
        add(
            "GET /console/deliveries/{delivery}",
            async s => new("read:deliveries", "/console/deliveries/" + await s.DeliveryAsync())
        );
        add(
            "POST /console/deliveries/{delivery}/retry",
            async s => await FormAsync("write:deliveries", $"/deliveries/{await s.DeliveryAsync()}/retry")
        );
        add("GET /console/sessions", _ => PageAsync("read:sessions", "/sessions"));
        add("GET /console/sessions/{session}", s => OfSessionAsync(s, "read", ""));
        add("GET /console/sessions/{session}/live", s => OfSessionAsync(s, "read", "/live"));
        add(
            "POST /console/sessions/{session}/say",
            async s => Sent(await OfSessionAsync(s, "write", "/say"), "text=late")
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

    private static Task<DoorRequest> PageAsync(string? scope, string path) =>
        Task.FromResult(new DoorRequest(scope, "/console" + path));

    private static Task<DoorRequest> FormAsync(string? scope, string path, string fields = "") =>
        Task.FromResult(Sent(new DoorRequest(scope, "/console" + path), fields));

    /// <summary>The form behind a page: it leads to a page.</summary>
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
