using System.Text.Json;

namespace Postern.Support;

/// <summary>Calls the routes of bulk actions as a client does.</summary>
internal static class BulkCalls
{
    public static Task<Answer> PreviewAsync(
        this TestServer server,
        string action,
        object filter,
        string? credential = null
    ) =>
        server.PostAsync(
            "/api/v1/bulk",
            new
            {
                action,
                filter,
                preview = true,
            },
            credential
        );

    /// <summary>Previews and starts a job. Returns its id.</summary>
    public static async Task<string> StartBulkAsync(
        this TestServer server,
        string action,
        object filter,
        string? reason = null,
        string? credential = null
    )
    {
        var preview = await server.PreviewAsync(action, filter, credential);
        Assert.True(preview.Status == 200, preview.ToString());
        var body = new
        {
            action,
            filter,
            reason,
            mark = preview.String("mark"),
        };
        var started = await server.PostAsync("/api/v1/bulk", body, credential);
        Assert.True(started.Status == 202, started.ToString());
        return started.String("id");
    }

    public static async Task<JsonElement> BulkAsync(this TestServer server, string job) =>
        (await server.GetAsync("/api/v1/bulk/" + job)).Json;

    /// <summary>Returns the job when it has ended.</summary>
    public static async Task<JsonElement> EndedBulkAsync(this TestServer server, string job)
    {
        await WaitFor.TrueAsync(async () =>
            (await server.BulkAsync(job)).GetProperty("status").GetString() != "running"
        );
        return await server.BulkAsync(job);
    }

    /// <summary>Matched, done, skipped, left.</summary>
    public static (long, long, long, long) Numbers(JsonElement job) =>
        (Number(job, "matched"), Number(job, "done"), Number(job, "skipped"), Number(job, "left"));

    private static long Number(JsonElement job, string name) => job.GetProperty(name).GetInt64();

    /// <summary>
    /// A full trigger: a replayed request waits. Returns its captures, with the one that takes the place first.
    /// </summary>
    public static async Task<IReadOnlyList<string>> FullTriggerAsync(this TestServer server, string id, int captures)
    {
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        var ids = new List<string>();
        await PutAsync(captures);
        for (var i = 0; i < captures; i++)
        {
            var taken = await server.SendAsync(HttpMethod.Post, "/inbound/user/u/" + id, null, "{}");
            Assert.True(taken.Status is 200 or 202, taken.ToString());
            ids.Add(taken.Json.GetProperty("data").GetProperty("requestId").GetString()!);
        }
        await PutAsync(1);
        return ids;

        async Task PutAsync(int places)
        {
            var trigger = new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = places,
            };
            var put = await server.PostAsync("/api/triggers/user/u/" + id, trigger);
            Assert.True(put.Status == 201, put.ToString());
        }
    }
}
