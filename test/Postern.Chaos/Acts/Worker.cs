using System.Text.Json;

namespace Postern.Chaos.Acts;

/// <summary>Claims runs and works on them: reports, asks a person, is slow, or disappears.</summary>
internal sealed class Worker(World world, string name) : Actor(world, name)
{
    protected override async Task ActAsync()
    {
        var agent = Chance(3) ? "narrow" : "pull";
        var claimed = await Caller.TryAsync(
            Random.Next(8),
            HttpMethod.Post,
            $"/api/v1/agents/{agent}/claim",
            new
            {
                max = Random.Next(1, 4),
                waitSeconds = 2,
                leaseSeconds = 5,
            },
            World.Root
        );
        if (claimed.Status is 0 or 429 or 503 || !Expect("claim", claimed))
            return;
        foreach (var one in claimed.Json.GetProperty("data").EnumerateArray())
            await WorkAsync(one);
    }

    private async Task WorkAsync(JsonElement work)
    {
        var run = work.GetProperty("run").GetProperty("id").GetString()!;
        var attempt = work.GetProperty("run").GetProperty("attempt").GetInt32();
        var token = work.GetProperty("token").GetString()!;
        if (Chance(12))
            return; // Gone: the lease runs out.
        if (Chance(3))
            await PostAsync($"/api/v1/runs/{run}/heartbeat", new { }, token);
        if (!await ReportAsync("running"))
            return;
        await PauseAsync(300);
        if (Chance(3))
            await AskAsync(run, token);
        else
            await ReportAsync(Chance(5) ? "failed" : "succeeded");

        async Task<bool> ReportAsync(string status)
        {
            var eventId = $"{run}-{attempt}-{status}";
            object body =
                status == "failed"
                    ? new
                    {
                        status,
                        eventId,
                        failure = new { code = "simulated" },
                    }
                    : new { status, eventId };
            // A slow worker may be at an attempt that is over. Then the server says so.
            var answer = await PostAsync($"/api/v1/runs/{run}/status", body, token);
            if (!Expect("report", answer, 401, 403, 409))
                return false;
            Ledger.Acknowledge(
                "report",
                new
                {
                    run,
                    eventId,
                    status,
                }
            );
            return true;
        }
    }

    /// <summary>Half of the questions expire by themselves, within seconds.</summary>
    private async Task AskAsync(string run, string token)
    {
        var expires = Chance(4);
        var asked = await PostAsync(
            $"/api/v1/executions/{run}/request-approval",
            new
            {
                title = "May " + run + " go on?",
                payload = new { words = World.Words(Random, 20) },
                expires_in_hours = expires ? 3.0 / 3600 : 1.0,
                on_reject = Chance(2) ? "continue" : "cancel",
            },
            token
        );
        if (!Expect("ask", asked, 401, 403, 409))
            return;
        var approval = asked.String("approval_request_id");
        Ledger.Acknowledge(
            "asked",
            new
            {
                run,
                approval,
                expires,
            }
        );
        if (!expires)
            World.Questions.Enqueue((run, approval));
    }
}
