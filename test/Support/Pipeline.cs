using System.Globalization;
using System.Text.Json;

namespace Postern.Support;

/// <summary>The sample workflow, with jobs that are reported through the callback's route.</summary>
internal sealed class Pipeline
{
    private readonly TestServer _server;
    private readonly Dictionary<string, (List<string> To, bool Self)> _states = new(StringComparer.Ordinal);
    private long _instant = DateTimeOffset.UtcNow.AddHours(-1).Ticks / 10;

    private Pipeline(TestServer server, string secret) => (_server, Secret) = (server, secret);

    public string Secret { get; }

    public IReadOnlyCollection<string> States => _states.Keys;

    public static async Task<Pipeline> PutAsync(TestServer server)
    {
        var text = await File.ReadAllTextAsync(Repository.File("samples/workflows/media-pipeline.json"));
        var put = await server.SendAsync(HttpMethod.Put, "/api/v1/workflows/media", server.RootKey, text);
        Assert.True(put.Status is 201 or 200, put.ToString());
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/studio", server.RootKey, new { kind = "pull" });
        var pipeline = new Pipeline(
            server,
            (await server.PostAsync("/api/v1/callback-secrets", null)).String("secret")
        );
        foreach (var state in JsonSerializer.Deserialize<JsonElement>(text).GetProperty("states").EnumerateObject())
            pipeline._states[state.Name] = (
                [.. state.Value.GetProperty("to").EnumerateArray().Select(t => t.GetString()!)],
                state.Value.TryGetProperty("self", out _)
            );
        return pipeline;
    }

    public bool MayFollow(string from, string to) => from == to ? _states[from].Self : _states[from].To.Contains(to);

    public IEnumerable<string> AllowedAfter(string from) =>
        _states[from].To.Concat(_states[from].Self ? [from] : []).Order(StringComparer.Ordinal);

    public async Task<string> JobAsync(string? key = null)
    {
        var made = await _server.PostAsync(
            "/api/v1/runs",
            new
            {
                agent = "studio",
                workflow = "media",
                input = new { video = "film.mp4" },
            },
            key
        );
        Assert.True(made.Status == 202, made.ToString());
        return made.String("id");
    }

    /// <summary>A job that was reported along the shortest way to a state.</summary>
    public async Task<string> JobInAsync(string state)
    {
        var job = await JobAsync();
        foreach (var step in WayTo(state))
        {
            var answer = await ReportAsync(job, step);
            Assert.True(answer.Status == 204, $"{step}: {answer}");
        }
        return job;
    }

    /// <summary>The states on the shortest way from the first one, without the first.</summary>
    public List<string> WayTo(string state)
    {
        var ways = new Dictionary<string, List<string>>(StringComparer.Ordinal) { ["CREATED"] = [] };
        var open = new Queue<string>(["CREATED"]);
        while (!ways.ContainsKey(state))
        {
            var from = open.Dequeue();
            foreach (var to in _states[from].To)
                if (ways.TryAdd(to, [.. ways[from], to]))
                    open.Enqueue(to);
        }
        return ways[state];
    }

    /// <summary>An instant after all earlier ones.</summary>
    public string Later() => At(Interlocked.Add(ref _instant, 1_000_000));

    public static string At(long microseconds) =>
        new DateTimeOffset(microseconds * 10, TimeSpan.Zero).ToString(
            "yyyy-MM-dd'T'HH:mm:ss.ffffffzzz",
            CultureInfo.InvariantCulture
        );

    /// <summary>
    /// The body of a report; <paramref name="with"/> replaces and adds members, null ones are left out.
    /// </summary>
    public Dictionary<string, object?> Body(string status, params (string Name, object? Value)[] with)
    {
        var body = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["event_id"] = Guid.NewGuid().ToString(),
            ["status"] = status,
            ["occurred_at"] = Later(),
            ["correlation_id"] = "test",
        };
        if (status == "FAILED")
            body["failure_code"] = "broken";
        foreach (var (name, value) in with)
        {
            if (value is null)
                body.Remove(name);
            else
                body[name] = value;
        }
        return body;
    }

    public Task<Answer> ReportAsync(string job, string status, params (string Name, object? Value)[] with) =>
        SendAsync(job, Body(status, with));

    public Task<Answer> SendAsync(string job, object body, string? secret = null) =>
        _server.SendAsync(
            HttpMethod.Post,
            $"/internal/jobs/{job}/status",
            null,
            body,
            ("X-Callback-Secret", secret ?? Secret)
        );

    public async Task<JsonElement> ReadAsync(string job) => (await _server.GetAsync("/api/v1/runs/" + job)).Json;

    public async Task<List<JsonElement>> EventsAsync(string job) =>
        [.. (await _server.GetAsync($"/api/v1/runs/{job}/events?limit=500")).Json.GetProperty("data").EnumerateArray()];
}
