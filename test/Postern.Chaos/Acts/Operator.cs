namespace Postern.Chaos.Acts;

/// <summary>
/// Takes care of deliveries: enables disabled endpoints, retries and replays dead deliveries, reads lists.
/// </summary>
internal sealed class Operator(World world, string name) : Actor(world, name)
{
    protected override async Task ActAsync()
    {
        await PauseAsync(3000);
        switch (Random.Next(4))
        {
            case 0:
                Expect(
                    "put",
                    await Caller.InsistAsync(
                        Random,
                        HttpMethod.Put,
                        "/api/v1/webhook-endpoints/gone",
                        new
                        {
                            url = World.Outside.Url("gone"),
                            events = new[] { "run.*" },
                            enabled = true,
                        },
                        World.Root
                    )
                );
                break;
            case 1:
                var dead = await GetAsync("/api/v1/deliveries?status=dead&limit=5");
                if (!Expect("list", dead))
                    break;
                foreach (var one in dead.Json.GetProperty("data").EnumerateArray())
                    Expect(
                        "retry",
                        await PostAsync($"/api/v1/deliveries/{one.GetProperty("id").GetString()}/retry", null),
                        404,
                        409
                    );
                break;
            case 2:
                Expect(
                    "replay",
                    await PostAsync(
                        "/api/v1/deliveries/replay",
                        new { endpoint = "wrong", since = DateTimeOffset.UtcNow.AddSeconds(-20) }
                    ),
                    409
                );
                break;
            default:
                foreach (
                    var path in (string[])
                        [
                            "/api/v1/events?limit=20",
                            "/api/v1/runs?limit=20",
                            "/api/v1/audit",
                            "/api/v1/approvals?status=pending",
                            "/api/triggers",
                            "/api/triggers/user/chaos/echo/requests",
                        ]
                )
                    Expect("read " + path, await GetAsync(path, path.Contains("approvals") ? World.Decider : null));
                break;
        }
    }
}
