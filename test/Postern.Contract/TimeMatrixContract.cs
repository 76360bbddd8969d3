using System.Diagnostics;
using System.Text;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Authority ends when it ends, on PostgreSQL too: every door, every way to end, every moment. And on two nodes: what
/// one ends, the other refuses within a second.
/// </summary>
public sealed class TimeMatrixContract(TimeMatrixContract.World world) : IClassFixture<TimeMatrixContract.World>
{
    /// <summary>The contract's limit, plus time for a busy machine.</summary>
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(1.5);

    public sealed class World : IAsyncLifetime
    {
        internal TimeWorld Time { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Time = await TimeWorld.StartAsync(Backend.Postgres);

        public ValueTask DisposeAsync() => Time.DisposeAsync();
    }

    public static TheoryData<string, string> Rows() => TimeMatrix.Rows(console: false);

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_caller_can_do_nothing_more_after_its_authority_has_ended(string method, string path)
    {
        var door = world.Time.Server.Doors.Table.Single(d => d.Method == method && d.Path == path);
        await new TimeMatrix(world.Time, door).TryAsync(Ending.Of(door));
    }

    [Theory]
    [InlineData("key revoked")]
    [InlineData("key narrowed")]
    [InlineData("key rotated")]
    [InlineData("token revoked")]
    [InlineData("its key revoked")]
    [InlineData("run cancelled")]
    [InlineData("run superseded")]
    public async Task An_end_on_one_node_is_refused_by_the_other_within_a_second(string how)
    {
        var database = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: database);
        await using var two = await TestServer.StartAsync(Backend.Postgres, postgres: database);
        await one.SendAsync(HttpMethod.Put, "/api/v1/agents/p", one.RootKey, new { kind = "pull" });
        var session = (await one.StartSessionAsync("s", agent: "p")).String("id");
        await one.SayAsync(session, "work");
        var claimed = (
            await one.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 10, leaseSeconds = 60 })
        ).Json.GetProperty("data")[0];
        var run = claimed.GetProperty("run").GetProperty("id").GetString()!;
        var (id, key) = await one.NamedKeyAsync("backend", "read:all", "write:all");
        var token = await one.TokenOfAsync(key, "read:sessions", "write:sessions", "read:runs");
        var credential =
            how.StartsWith("key", StringComparison.Ordinal) ? key
            : how.StartsWith("run", StringComparison.Ordinal) ? claimed.GetProperty("token").GetString()!
            : token;

        // All on the other node, which knows the credential as valid.
        await using var stream = await two.StreamAsync($"/realtime/v1/sessions/{session}/in", credential);
        var wait = two.GetAsync($"/api/v1/runs/{run}?wait=30", credential);
        await using var half = await SlowRequest.BeginAsync(
            two.Url,
            "POST",
            $"/realtime/v1/sessions/{session}/in/append",
            Encoding.UTF8.GetBytes("late" + new string(' ', 100)),
            ("Authorization", "Bearer " + credential)
        );
        await WaitFor.TrueAsync(() => Task.FromResult(two.HeldRequests == 2));

        switch (how)
        {
            case "key revoked" or "its key revoked":
                await one.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{id}", one.RootKey);
                break;
            case "key narrowed":
                await one.SendAsync(
                    HttpMethod.Patch,
                    $"/api/v1/keys/{id}",
                    one.RootKey,
                    new { scopes = new[] { "read:tags" } }
                );
                break;
            case "key rotated":
                await one.PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 0 });
                break;
            case "token revoked":
                await one.PostAsync("/api/v1/auth/revoke", new { token });
                break;
            case "run cancelled":
                await one.PostAsync($"/api/v1/runs/{run}/cancel", null);
                break;
            default:
                // The lease ends, and another worker gets the run.
                one.Clock.Advance(TimeSpan.FromSeconds(61));
                two.Clock.Advance(TimeSpan.FromSeconds(61));
                Assert.Equal(
                    1,
                    (await one.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 20 }))
                        .Json.GetProperty("data")
                        .GetArrayLength()
                );
                break;
        }
        var ended = Stopwatch.StartNew();
        var waited = await wait.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(ended.Elapsed < Within, $"the wait: {ended.ElapsedMilliseconds} ms");
        Assert.Contains(waited.Status, how == "key narrowed" ? (int[])[403] : [401]);
        ServerEvent? last = null;
        while (await stream.NextAsync() is { } next)
            last = next;
        Assert.True(
            ended.Elapsed < Within && last is { Name: "error" },
            $"the stream: {ended.ElapsedMilliseconds} ms, {last}"
        );
        await WaitFor.TrueAsync(async () =>
            (await two.GetAsync($"/realtime/v1/sessions/{session}/in/records", credential)).Status is 401 or 404
        );
        Assert.True(ended.Elapsed < Within, $"the next request: {ended.ElapsedMilliseconds} ms");
        var (status, text) = await half!.EndAsync();
        Assert.True(status is 401 or 403 or 409, text);
        Assert.DoesNotContain("late", await one.DumpAsync("record"), StringComparison.Ordinal);
    }
}
