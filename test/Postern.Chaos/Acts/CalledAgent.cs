using System.Text.Json;

namespace Postern.Chaos.Acts;

/// <summary>The agent that is called. It works on accepted runs and reports by the callback of the dispatch.</summary>
internal static class CalledAgent
{
    public static async Task WorkAsync(World world, JsonElement dispatch, Random random)
    {
        try
        {
            await Task.Delay(random.Next(1500), world.Caller.Stop);
            var callback = dispatch.GetProperty("callback");
            var path = new Uri(callback.GetProperty("url").GetString()!).AbsolutePath;
            (string, string)[] headers =
            [
                .. callback.GetProperty("headers").EnumerateObject().Select(h => (h.Name, h.Value.GetString()!)),
            ];
            var run = dispatch.GetProperty("run").GetProperty("id").GetString()!;
            var eventId = run + "-called-" + dispatch.GetProperty("run").GetProperty("attempt").GetInt32();
            object body = dispatch.TryGetProperty("trigger", out _)
                ? new
                {
                    sessionId = "mine",
                    cloudAgentSessionId = dispatch.GetProperty("session").GetProperty("id").GetString(),
                    status = random.Next(5) == 0 ? "failed" : "completed",
                    lastAssistantMessageText = "It is done.",
                }
                : new
                {
                    status = "succeeded",
                    eventId,
                    output = "done",
                };
            var answer = await world.Caller.InsistAsync(random, HttpMethod.Post, path, body, null, headers);
            // Too late, or a repeat.
            if (answer.Status is 401 or 403 or 404 or 409)
                return;
            if (!answer.Ok)
                world.Caller.Surprise("called " + path, answer);
            else if (!dispatch.TryGetProperty("trigger", out _))
                world.Ledger.Acknowledge(
                    "report",
                    new
                    {
                        run,
                        eventId,
                        status = "succeeded",
                    }
                );
        }
        catch (OperationCanceledException) when (world.Caller.Stop.IsCancellationRequested)
        {
            // The simulation is over.
        }
    }
}
