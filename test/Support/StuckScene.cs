using System.Text.Json;

namespace Postern.Support;

/// <summary>
/// Captured requests that do not go on, one of each kind, eleven minutes after they came; and one that failed because
/// the key of its agent was wrong.
/// </summary>
internal sealed class StuckScene : IAsyncDisposable
{
    private readonly TestServer _server;

    private StuckScene(TestServer server) => _server = server;

    /// <summary>Answers 503.</summary>
    public Receiver Busy { get; private set; } = null!;

    /// <summary>Accepts everything and reports nothing.</summary>
    public Receiver Silent { get; private set; } = null!;

    private Receiver Wrong { get; set; } = null!;

    /// <summary>The captures by the names of their triggers, <c>user/w/{name}</c>, with their runs.</summary>
    public Dictionary<string, (string Capture, string Run)> Of { get; } = new(StringComparer.Ordinal);

    /// <summary>The request that waits behind another of its session.</summary>
    public string Behind { get; private set; } = "";

    public static async Task<StuckScene> MakeAsync(TestServer server)
    {
        var scene = new StuckScene(server)
        {
            Busy = await Receiver.StartAsync(),
            Silent = await Receiver.StartAsync(),
            Wrong = await Receiver.StartAsync(),
        };
        scene.Busy.Answers = _ => (503, "the model is loading now");
        scene.Wrong.Answers = _ => (401, "that key is <b>wrong</b>");
        await scene.FillAsync();
        return scene;
    }

    private async Task FillAsync()
    {
        var patient = new { queuedSeconds = 7200, turnSeconds = 86_400 };
        await AgentAsync(
            "busy",
            new
            {
                kind = "http",
                url = Busy.Url,
                deadlines = patient,
            }
        );
        await AgentAsync(
            "silent",
            new
            {
                kind = "http",
                url = Silent.Url,
                deadlines = new { turnSeconds = 1200 },
            }
        );
        await AgentAsync("asks", new { kind = "pull", deadlines = patient });
        await AgentAsync("nobody", new { kind = "pull", deadlines = patient });
        await AgentAsync(
            "slow",
            new
            {
                kind = "http",
                url = Silent.Url,
                deadlines = patient,
            }
        );
        await AgentAsync("wrong", new { kind = "http", url = Wrong.Url });
        await TakeAsync("busy");
        await Busy.NextAsync();
        await TakeAsync("silent");
        await TakeAsync("asks");
        var claimed = await _server.PostAsync(
            "/api/v1/agents/asks/claim",
            new { waitSeconds = 10, leaseSeconds = 3600 }
        );
        var work = claimed.Json.GetProperty("data")[0];
        var asked = await _server.PostAsync(
            $"/api/v1/executions/{Of["asks"].Run}/request-approval",
            new { title = "Drop the table orders" },
            work.GetProperty("token").GetString()
        );
        Assert.True(asked.Status == 200, asked.ToString());
        await TakeAsync("nobody");
        await TakeAsync("slow", "perTrigger");
        await Silent.NextAsync(2);
        Behind = await SendAsync("slow");
        await TakeAsync("wrong");
        await WaitFor.TrueAsync(async () =>
            (await CaptureAsync("wrong", Of["wrong"].Capture)).GetProperty("processStatus").GetString() == "failed"
        );
        _server.Clock.Advance(TimeSpan.FromMinutes(11));
        // The call that became due meanwhile is made, and answered as before.
        await Busy.NextAsync(2);
    }

    public async Task<JsonElement> CaptureAsync(string name, string id) =>
        (await _server.GetAsync($"/api/triggers/user/w/{name}/requests/{id}")).Json.GetProperty("data");

    private async Task AgentAsync(string slug, object agent)
    {
        var put = await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/" + slug, _server.RootKey, agent);
        Assert.True(put.Status is 200 or 201, put.ToString());
    }

    private async Task TakeAsync(string agent, string sessionMode = "perRequest")
    {
        var put = await _server.PostAsync(
            "/api/triggers/user/w/" + agent,
            new
            {
                agent,
                promptTemplate = "{{body}}",
                sessionMode,
            }
        );
        Assert.Equal(201, put.Status);
        var id = await SendAsync(agent);
        Of[agent] = (id, (await CaptureAsync(agent, id)).GetProperty("runId").GetString()!);
    }

    private async Task<string> SendAsync(string name)
    {
        var taken = await _server.SendAsync(HttpMethod.Post, "/inbound/user/w/" + name, null, "{}");
        Assert.True(taken.Status == 200, taken.ToString());
        return taken.Json.GetProperty("data").GetProperty("requestId").GetString()!;
    }

    public async ValueTask DisposeAsync()
    {
        await Busy.DisposeAsync();
        await Silent.DisposeAsync();
        await Wrong.DisposeAsync();
    }
}
