using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Metrics;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// The counts of nodes are stored once a minute, and are summed up; on both databases. Counts of a rolled back
/// transaction are not included.
/// </summary>
public sealed class MetricContract
{
    private const long Hour = 3_600_000_000;

    private static async Task<List<MetricSeries>> ReadAsync(
        TestServer server,
        MetricWidth width,
        params Measure[] which
    )
    {
        var now = server.Database.Now;
        return await server
            .App.Services.GetRequiredService<MetricReader>()
            .ReadAsync(
                await server.ProjectAsync(),
                [.. which.Select(MeasureKind.Of)],
                width,
                now - (2 * Hour),
                now + (2 * Hour)
            );
    }

    private static async Task<long> CountAsync(TestServer server, Measure which, MetricWidth? width = null) =>
        (await ReadAsync(server, width ?? MetricWidth.Minute, which)).Sum(s => s.Points.Sum(p => p.Count));

    /// <summary>A minute passes, and its counts are stored.</summary>
    private static Task KeepAsync(TestServer server) =>
        server
            .App.Services.GetRequiredService<MetricWriter>()
            .KeepAsync(MetricWidth.Minute.StartOf(server.Database.Now));

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Outcomes_are_counted(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("s");
        await server.SayAsync("s", "Hello.");
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var run = (await server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        await server.PostAsync($"/api/v1/runs/{run}/cancel", new { });
        await server.GetAsync("/api/v1/runs", "pst_live_nobody");
        await server.GetAsync("/api/v1/runs", await server.KeyAsync("read:sessions"));
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/sessions/s/transcript")).Json.GetProperty("messages").GetArrayLength() == 2
        );
        await server.PostAsync("/api/v1/sessions/s/close", new { });
        await KeepAsync(server);

        Assert.Equal(2, await CountAsync(server, Measure.RunsCreated));
        // With the session its run.
        Assert.Equal(2, await CountAsync(server, Measure.RunsCancelled));
        Assert.Equal(2, await CountAsync(server, Measure.RunLatency));
        Assert.Equal(2, await CountAsync(server, Measure.RunsCreated, MetricWidth.Hour));
        Assert.Equal(1, await CountAsync(server, Measure.RefusedScope));
        Assert.Equal(1, await CountAsync(server, Measure.RefusedCredential));
        Assert.True(await CountAsync(server, Measure.CommitTime) > 3);
        var memory = Assert.Single(await ReadAsync(server, MetricWidth.Minute, Measure.Memory));
        Assert.True(memory.Points[0].Max > 10_000_000);
        // Nothing happened, so there is nothing.
        Assert.Empty((await ReadAsync(server, MetricWidth.Minute, Measure.DeliveriesDead))[0].Points);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Rolled_back_work_is_not_counted(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var project = await server.ProjectAsync();
        var commands = Enumerable
            .Range(0, 20)
            .Select(async i =>
            {
                try
                {
                    await server.Database.WriteAsync(async tx =>
                    {
                        tx.Count(project, Measure.CapturesTaken);
                        await tx.ExecuteAsync("UPDATE meta SET number = number WHERE name = 'schema_version'");
                        return i % 2 == 0 ? i : throw new InvalidOperationException("It fails.");
                    });
                }
                catch (InvalidOperationException)
                {
                    // Every other one.
                }
            });
        await Task.WhenAll(commands);
        await KeepAsync(server);
        Assert.Equal(10, await CountAsync(server, Measure.CapturesTaken));
    }

    [Fact]
    public async Task Nodes_add_up_and_one_that_is_started_again_goes_on()
    {
        var connection = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        var project = await one.ProjectAsync();
        var other = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        foreach (var node in (TestServer[])[one, other])
        {
            node.Database.Tally.Add(project, Measure.RunsFailed, 3);
            node.Database.Tally.AddSpan(project, Measure.RunLatency, 10_000);
            node.Database.Tally.Level(project, Measure.OpenStreams, 5);
        }
        await KeepAsync(one);
        // A stopped node stores its counts.
        await other.DisposeAsync();
        await using var again = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        again.Database.Tally.Add(project, Measure.RunsFailed);
        await KeepAsync(again);
        foreach (var width in (MetricWidth[])[MetricWidth.Minute, MetricWidth.Hour])
        {
            Assert.Equal(7, await CountAsync(one, Measure.RunsFailed, width));
            var spans = Assert.Single(await ReadAsync(again, width, Measure.RunLatency));
            Assert.Equal(2, spans.Points.Sum(p => p.Count));
            Assert.InRange(spans.Points[^1].Quantile(0.5), 9_000, 11_000);
        }
        var open = Assert.Single(await ReadAsync(one, MetricWidth.Hour, Measure.OpenStreams));
        Assert.Equal(10, open.Points.Sum(p => p.Max));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_minute_has_a_bound_and_the_quietest_are_left_out_and_counted(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var project = await server.ProjectAsync();
        for (var i = 0; i < 3000; i++)
            server.Database.Tally.Add($"proj_quiet{i}", Measure.RunsCreated);
        server.Database.Tally.Add(project, Measure.RunsCreated, 1000);
        await KeepAsync(server);
        var rows = await server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT COUNT(*) FROM metric", r => r.GetInt64(0))
        );
        Assert.InRange(rows, 4_000, MetricWriter.MaxRows);
        Assert.Equal(1000, await CountAsync(server, Measure.RunsCreated));
        Assert.True(await CountAsync(server, Measure.ProjectsLeftOut) > 400);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Minutes_are_kept_for_two_days_and_hours_for_as_long_as_is_set(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, o => o.Retention.MetricDays = 3);
        var store = server.App.Services.GetRequiredService<MetricStore>();
        var (project, now) = (await server.ProjectAsync(), server.Database.Now);
        var counted = new TallyRow(project, Measure.RunsCreated, 1, 0, null);
        foreach (
            var (width, hours) in ((MetricWidth, int)[])
                [(MetricWidth.Minute, 47), (MetricWidth.Minute, 49), (MetricWidth.Hour, 71), (MetricWidth.Hour, 73)]
        )
            await store.WriteAsync("n", [new MetricRow(width, width.StartOf(now - (hours * Hour)), counted)]);
        await WaitFor.TrueAsync(async () => (await LeftAsync()).Count == 2, TimeSpan.FromSeconds(75));
        Assert.Equal([60, 3600], await LeftAsync());

        ValueTask<List<long>> LeftAsync() =>
            server.Database.ReadAsync(tx =>
                tx.ListAsync("SELECT width FROM metric WHERE node = 'n' ORDER BY width LIMIT 9", r => r.GetInt64(0))
            );
    }

    [Fact]
    public async Task Figures_of_another_project_are_not_shown()
    {
        await using var server = await TestServer.StartAsync();
        var created = await server.PostAsync("/api/v1/projects", new { name = "other" });
        var otherKey = created.String("rootKey");
        server.Database.Tally.Add(await server.ProjectAsync(), Measure.RunsFailed, 5);
        server.Database.Tally.Add(created.String("id"), Measure.RunsFailed, 11);
        await KeepAsync(server);

        foreach (var (key, mine) in ((string, long)[])[(server.RootKey, 5), (otherKey, 11)])
        {
            var series = (await server.GetAsync("/api/v1/metrics?name=runs.failed", key)).Json.GetProperty("series");
            Assert.Equal(
                mine,
                Assert.Single(series[0].GetProperty("points").EnumerateArray()).GetProperty("count").GetInt64()
            );
        }
        // Its administrator is not an administrator of the server, and sees no refusals that prove no project.
        Assert.Equal(403, (await server.GetAsync("/api/v1/metrics?name=server.memory", otherKey)).Status);
        var all = (await server.GetAsync("/api/v1/metrics", otherKey)).Json.GetProperty("series").EnumerateArray();
        Assert.DoesNotContain(
            all,
            s => s.GetProperty("name").GetString()!.StartsWith("server.", StringComparison.Ordinal)
        );
        await server.GetAsync("/api/v1/runs", "pst_live_nobody");
        await KeepAsync(server);
        var refused = await server.GetAsync("/api/v1/metrics?name=refused.credential", otherKey);
        Assert.Empty(refused.Json.GetProperty("series")[0].GetProperty("points").EnumerateArray());
    }

    [Fact]
    public async Task A_name_needs_the_scope_of_its_list()
    {
        await using var server = await TestServer.StartAsync();
        var runs = await server.KeyAsync("read:runs");
        Assert.Equal(200, (await server.GetAsync("/api/v1/metrics?name=runs.failed,runs.latency", runs)).Status);
        foreach (
            var name in (string[])
                [
                    "captures.taken",
                    "approvals.wait",
                    "deliveries.dead",
                    "streams.open",
                    "refused.scope",
                    "server.commit",
                ]
        )
            Assert.Equal(403, (await server.GetAsync("/api/v1/metrics?name=runs.failed," + name, runs)).Status);
        var own = (await server.GetAsync("/api/v1/metrics", runs)).Json.GetProperty("series").EnumerateArray();
        Assert.All(own, s => Assert.StartsWith("runs.", s.GetProperty("name").GetString(), StringComparison.Ordinal));
        // Rights on one run do not show figures of all runs.
        Assert.Equal(403, (await server.GetAsync("/api/v1/metrics", await server.KeyAsync("read:runs:run_1"))).Status);
        Assert.Equal(401, (await server.SendAsync(HttpMethod.Get, "/api/v1/metrics")).Status);
    }

    [Theory]
    [InlineData("name=runs.nothing")]
    [InlineData("name=%00")]
    [InlineData("width=second")]
    [InlineData("width=minute&width=hour")]
    [InlineData("from=yesterday")]
    [InlineData("to=2026-13-01T00:00:00Z")]
    [InlineData("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z")]
    [InlineData("from=2026-01-01T00:00:00Z&to=2026-01-03T00:01:00Z")]
    [InlineData("width=hour&from=2026-01-01T00:00:00Z&to=2026-06-01T00:00:00Z")]
    [InlineData("to=9999-12-31T23:59:59Z&from=0001-01-01T00:00:00Z")]
    public async Task An_unreadable_value_is_refused_by_name(string query)
    {
        await using var server = await TestServer.StartAsync();
        var answer = await server.GetAsync("/api/v1/metrics?" + query);
        Assert.Equal(400, answer.Status);
        Assert.Equal("invalid_filter", answer.String("code"));
    }
}
