namespace Postern.Support;

/// <summary>A valid request for every door of bulk actions, for <see cref="DoorRequests"/>.</summary>
internal static class BulkDoorRequests
{
    private const string Path = "/api/v1/bulk";
    private const string Pages = "/console/bulk";
    private const string Form = "application/x-www-form-urlencoded";
    private const string Cancel = "runs.cancel";
    private const string Replay = "captures.replay";

    public static void AddTo(Action<string, Func<TimeScene, Task<DoorRequest>>> add)
    {
        add($"GET {Path}", _ => Task.FromResult(new DoorRequest("write:runs", Path)));
        add(
            $"POST {Path}",
            async s => new("write:runs", Path, Asked(Cancel, new { agent = await s.AgentAsync() }, preview: true))
        );
        add($"GET {Path}/{{job}}", async s => new("trigger:triggers", $"{Path}/{await WaitingAsync(s)}"));
        add($"POST {Path}/{{job}}/stop", async s => new("trigger:triggers", $"{Path}/{await WaitingAsync(s)}/stop"));
        add($"GET {Pages}", _ => Task.FromResult(new DoorRequest("write:runs", Pages)));
        add(
            $"GET {Pages}/ask",
            async s => new("write:runs", $"{Pages}/ask?action={Cancel}&agent={await s.AgentAsync()}")
        );
        add($"POST {Pages}", async s => Sent("write:runs", Pages, await FieldsAsync(s)));
        add(
            $"GET {Pages}/pause",
            async s => new("write:all", $"{Pages}/pause?trigger={await TriggerAsync(s)}&agent={s.Name}")
        );
        add(
            $"POST {Pages}/pause",
            async s => Sent("write:all", $"{Pages}/pause", $"trigger={await TriggerAsync(s)}&{await FieldsAsync(s)}")
        );
        add($"GET {Pages}/{{job}}", async s => new("trigger:triggers", $"{Pages}/{await WaitingAsync(s)}"));
        add($"GET {Pages}/{{job}}/live", async s => new("trigger:triggers", $"{Pages}/{await WaitingAsync(s)}/live"));
        add(
            $"POST {Pages}/{{job}}/stop",
            async s => Sent("trigger:triggers", $"{Pages}/{await WaitingAsync(s)}/stop", "")
        );
    }

    private static DoorRequest Sent(string scope, string path, string fields) =>
        new(scope, path, fields, Form, Success: 303);

    private static object Asked(string action, object filter, bool preview = false, string? mark = null) =>
        preview
            ? new
            {
                action,
                filter,
                preview,
            }
            : new
            {
                action,
                filter,
                mark,
            };

    /// <summary>The fields of the confirmation before cancelling the runs of the scene's agent.</summary>
    private static async Task<string> FieldsAsync(TimeScene s)
    {
        var asked = Asked(Cancel, new { agent = await s.AgentAsync() }, preview: true);
        var mark = (await s.OkAsync(HttpMethod.Post, Path, asked)).String("mark");
        return $"action={Cancel}&filter={Uri.EscapeDataString($$"""{"agent":"{{s.Name}}"}""")}&mark={mark}";
    }

    private static async Task<string> TriggerAsync(TimeScene s)
    {
        await s.TriggerAsync("user");
        return "user/time/" + s.Name;
    }

    /// <summary>A job that waits for a place at its trigger. The previous one is stopped.</summary>
    private static async Task<string> WaitingAsync(TimeScene s)
    {
        var before = (await s.OkAsync(HttpMethod.Get, Path + "?limit=200", null)).Json.GetProperty("data");
        foreach (var job in before.EnumerateArray().Where(j => j.GetProperty("status").GetString() == "running"))
            await s.OkAsync(HttpMethod.Post, $"{Path}/{job.GetProperty("id").GetString()}/stop", null);
        await s.CaptureAsync("user");
        await s.OkAsync(HttpMethod.Put, await s.TriggerAsync("user"), new { maxInFlight = 1 });
        var filter = new { trigger = await TriggerAsync(s) };
        var preview = await s.OkAsync(HttpMethod.Post, Path, Asked(Replay, filter, preview: true));
        var started = Asked(Replay, filter, mark: preview.String("mark"));
        s.WaitingJob = (await s.OkAsync(HttpMethod.Post, Path, started)).String("id");
        return s.WaitingJob;
    }
}
