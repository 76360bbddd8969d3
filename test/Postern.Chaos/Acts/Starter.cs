namespace Postern.Chaos.Acts;

/// <summary>
/// Starts runs for every kind of agent, pauses or ends some of them, and reports on others as an orchestrator does.
/// </summary>
internal sealed class Starter(World world, string name) : Actor(world, name)
{
    private static readonly string[] Agents = ["pull", "pull", "narrow", "called", "called", "echo", "orchestrated"];

    protected override async Task ActAsync()
    {
        await PauseAsync(200);
        var agent = Agents[Random.Next(Agents.Length)];
        var key = $"{Name}-{Round}";
        object body =
            agent == "orchestrated"
                ? new
                {
                    agent = "pull",
                    idempotencyKey = key,
                    start = false,
                    input = new { n = Round },
                }
                : new
                {
                    agent,
                    idempotencyKey = key,
                    input = new { text = World.Words(Random, 30) },
                };
        string? id = null;
        for (var times = Chance(4) ? 2 : 1; times > 0; times--)
        {
            var made = await PostAsync("/api/v1/runs", body);
            if (!Expect("create", made))
                return;
            id = made.String("id");
            Ledger.Acknowledge(
                "run",
                new
                {
                    key,
                    run = id,
                    agent,
                }
            );
        }
        if (agent == "orchestrated")
            await OrchestrateAsync(id!, key);
        else if (Chance(8))
            await SteerAsync(id!, key);
    }

    /// <summary>Reports with the project's callback secret. A run that has passed its deadline answers so.</summary>
    private async Task OrchestrateAsync(string run, string key)
    {
        foreach (var status in (string[])["running", "succeeded"])
        {
            var report = new
            {
                event_id = $"{key}-{status}",
                status,
                occurred_at = DateTimeOffset.UtcNow,
                correlation_id = key,
                actor_type = "orchestrator",
            };
            var answer = await PostAsync(
                $"/internal/jobs/{run}/status",
                report,
                "none",
                ("X-Callback-Secret", World.CallbackSecret)
            );
            if (!Expect("callback", answer, 409))
                return;
            Ledger.Acknowledge(
                "report",
                new
                {
                    run,
                    eventId = $"{key}-{status}",
                    status,
                }
            );
        }
    }

    private async Task SteerAsync(string run, string key)
    {
        switch (Random.Next(3))
        {
            case 0:
                var cancelled = await PostAsync($"/api/v1/runs/{run}/cancel", new { reason = "changed my mind" });
                if (Expect("cancel", cancelled, 409))
                    Ledger.Acknowledge("cancelled", new { run });
                break;
            case 1:
                if (!Expect("pause", await PostAsync($"/api/v1/runs/{run}/pause", null), 409))
                    break;
                await PauseAsync(800);
                Expect("resume", await PostAsync($"/api/v1/runs/{run}/resume", null), 409);
                break;
            default:
                await GetAsync($"/api/v1/runs/{run}?wait=3");
                var retried = await PostAsync($"/api/v1/runs/{run}/retry", new { clientRequestId = key });
                Expect("retry", retried, 409);
                break;
        }
    }
}
