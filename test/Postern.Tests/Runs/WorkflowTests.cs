using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Runs;

public sealed class WorkflowTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private Task<Answer> PutAsync(string name, object definition) =>
        _server.SendAsync(HttpMethod.Put, "/api/v1/workflows/" + name, _server.RootKey, definition);

    private static object Small(string middle = "work") =>
        new
        {
            initial = "new",
            states = new Dictionary<string, object>
            {
                ["new"] = new { phase = "queued", to = new[] { middle } },
                [middle] = new
                {
                    phase = "running",
                    to = new[] { "done", "bad" },
                    self = true,
                },
                ["done"] = new { phase = "succeeded", to = Array.Empty<string>() },
                ["bad"] = new { phase = "failed", to = Array.Empty<string>() },
            },
        };

    [Fact]
    public async Task All_faults_of_a_definition_come_in_one_answer()
    {
        var answer = await PutAsync(
            "broken",
            new
            {
                initial = "nowhere",
                states = new Dictionary<string, object>
                {
                    ["a"] = new { phase = "running", to = new[] { "ghost", "b" } },
                    ["b"] = new { phase = "succeeded", to = new[] { "a" } },
                    ["c"] = new { phase = "sleeping", to = Array.Empty<string>() },
                    ["bad name"] = new { phase = "queued", to = Array.Empty<string>() },
                },
                checkpoints = new[] { new { state = "ghost", artifact = "x" } },
                artifacts = new { immutable = new[] { "k" }, mutable = new[] { "k" } },
                deadlines = new Dictionary<string, int>
                {
                    ["b"] = 5,
                    ["z"] = 5,
                    ["a"] = 0,
                },
                extra = 1,
            }
        );
        Assert.Equal((400, "invalid_workflow"), (answer.Status, answer.String("code")));
        foreach (
            var part in (string[])
                [
                    "initial names nowhere",
                    "states.a.to names ghost",
                    "states.b.to must be empty",
                    "states.c.phase must be one of",
                    "states.bad name must be named",
                    "checkpoints[0].state names ghost",
                    "artifacts lists k",
                    "deadlines.b is a state that runs end in",
                    "deadlines.z is no state",
                    "deadlines.a must be a whole number",
                    "extra is not a known field",
                ]
        )
            Assert.Contains(part, answer.String("detail"), StringComparison.Ordinal);
        Assert.True(answer.Json.GetProperty("errors").GetArrayLength() >= 11);
        Assert.Equal(404, (await _server.GetAsync("/api/v1/workflows/broken")).Status);
    }

    [Fact]
    public async Task Unreachable_states_and_machines_without_an_end_are_refused()
    {
        var answer = await PutAsync(
            "island",
            new
            {
                initial = "a",
                states = new Dictionary<string, object>
                {
                    ["a"] = new { phase = "running", to = Array.Empty<string>() },
                    ["b"] = new { phase = "running", to = new[] { "a" } },
                },
            }
        );
        Assert.Contains("states.b cannot be reached from a", answer.String("detail"), StringComparison.Ordinal);
        Assert.Contains("states must have a state that runs end in", answer.String("detail"), StringComparison.Ordinal);
        foreach (
            var nonsense in (object[])
                [
                    "[]",
                    "{}",
                    new { initial = 1, states = "none" },
                    new { initial = "a", states = new { a = 1 } },
                    new
                    {
                        initial = "a",
                        states = new { },
                        checkpoints = new { },
                    },
                ]
        )
            Assert.Equal(400, (await PutAsync("nonsense", nonsense)).Status);
    }

    [Fact]
    public async Task A_run_keeps_the_version_that_it_was_started_with()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        Assert.Equal((201, 1), await VersionAsync(Small()));
        Assert.Equal((200, 1), await VersionAsync(Small()));
        var old = (await _server.PostAsync("/api/v1/runs", new { agent = "p", workflow = "flow" })).String("id");
        Assert.Equal((200, 2), await VersionAsync(Small("toil")));
        Assert.Equal((200, 3), await VersionAsync(Small("drudge")));
        var fresh = (await _server.PostAsync("/api/v1/runs", new { agent = "p", workflow = "flow" })).String("id");

        Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{old}/status", new { status = "work" })).Status);
        Assert.Equal(400, (await _server.PostAsync($"/api/v1/runs/{old}/status", new { status = "drudge" })).Status);
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{fresh}/status", new { status = "drudge" })).Status);
        Assert.Equal(
            (1, 3),
            (
                (await _server.GetAsync("/api/v1/runs/" + old)).Json.GetProperty("workflowVersion").GetInt32(),
                (await _server.GetAsync("/api/v1/runs/" + fresh)).Json.GetProperty("workflowVersion").GetInt32()
            )
        );

        async Task<(int, int)> VersionAsync(object definition)
        {
            var answer = await PutAsync("flow", definition);
            return (answer.Status, answer.Json.GetProperty("version").GetInt32());
        }
    }

    [Fact]
    public async Task Workflows_are_listed_page_by_page_with_the_built_in_one_first()
    {
        foreach (var name in (string[])["b", "a", "c"])
            await PutAsync(name, Small());
        await PutAsync("a", Small("other"));
        var names = new List<string>();
        string? cursor = null;
        do
        {
            var page = await _server.GetAsync(
                "/api/v1/workflows?limit=2" + (cursor is null ? "" : "&cursor=" + cursor)
            );
            names.AddRange(
                page.Json.GetProperty("data")
                    .EnumerateArray()
                    .Select(w => $"{w.GetProperty("name").GetString()} {w.GetProperty("version").GetInt32()}")
            );
            cursor = page.Json.TryGetProperty("nextCursor", out var next) ? next.GetString() : null;
        } while (cursor is not null);
        Assert.Equal(["agent 0", "a 2", "b 1", "c 1"], names);
        Assert.Equal("queued", (await _server.GetAsync("/api/v1/workflows/agent")).String("initial"));
        Assert.Equal(
            (409, "built_in"),
            ((await PutAsync("agent", Small())).Status, (await PutAsync("agent", Small())).String("code"))
        );
    }

    [Fact]
    public async Task The_sample_is_taken_and_read_back_as_it_is()
    {
        var text = await File.ReadAllTextAsync(Repository.File("samples/workflows/media-pipeline.json"));
        Assert.Equal(201, (await PutAsync("media", text)).Status);
        var read = (await _server.GetAsync("/api/v1/workflows/media")).Json;
        Assert.True(
            JsonElement.DeepEquals(
                JsonSerializer.Deserialize<JsonElement>(text).GetProperty("states"),
                read.GetProperty("states")
            )
        );
        Assert.True(
            JsonElement.DeepEquals(
                JsonSerializer.Deserialize<JsonElement>(text).GetProperty("checkpoints"),
                read.GetProperty("checkpoints")
            )
        );
    }

    [Fact]
    public async Task Only_an_administrator_puts_a_workflow()
    {
        var key = await _server.KeyAsync("write:runs", "read:runs");
        Assert.Equal(403, (await _server.SendAsync(HttpMethod.Put, "/api/v1/workflows/w", key, Small())).Status);
        Assert.Equal(200, (await _server.GetAsync("/api/v1/workflows", key)).Status);
    }
}
