using System.Text;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>
/// Attacks of a worker with its run's token: it opens its run's routes while its attempt has the run, and nothing else.
/// </summary>
public sealed class RunAttackTests : IAsyncLifetime
{
    private static readonly string[] Ways = ["cancelled", "superseded", "ended", "agent removed"];
    private TestServer _server = null!;
    private Asking _asking = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _asking = await Asking.PrepareAsync(_server);
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    public static TheoryData<string, string> Halves()
    {
        var rows = new TheoryData<string, string>();
        foreach (var way in Ways)
        foreach (
            var path in (string[])
                [
                    "/realtime/v1/sessions/{session}/in/append",
                    "/realtime/v1/sessions/{session}/out/records",
                    "/realtime/v1/sessions/{session}/channels/side/out/append",
                    "/realtime/v1/sessions/{session}/channels/side/in/records",
                ]
        )
            rows.Add(way, path);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Halves))]
    public async Task A_half_sent_append_is_not_written_when_its_run_has_ended(string way, string path)
    {
        var (run, token, session) = await ClaimedAsync();
        var body = Encoding.UTF8.GetBytes("{\"records\":[{\"data\":\"after it\"}]}" + new string(' ', 200));
        await using var half = await SlowRequest.BeginAsync(
            _server.Url,
            "POST",
            path.Replace("{session}", session, StringComparison.Ordinal),
            body,
            ("Authorization", "Bearer " + token)
        );
        Assert.NotNull(half);
        await half.SendHalfAsync();
        await EndAsync(way, run);
        var (status, text) = await half.EndAsync();
        // For a minute a late reporter is told the outcome of the run, and nothing is done for it.
        Assert.True(status is 401 or 403 or 409, text);
        Assert.DoesNotContain(
            "after it",
            await _server.DumpAsync("record", "message", "run_event"),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("cancelled")]
    [InlineData("superseded")]
    [InlineData("ended")]
    [InlineData("agent removed")]
    public async Task A_wait_for_a_run_shows_nothing_after_the_right_is_lost(string way)
    {
        var (run, token, session) = await ClaimedAsync();
        var wait = _server.GetAsync($"/api/v1/runs/{run}?wait=30", token);
        await using var stream = await _server.StreamAsync($"/realtime/v1/sessions/{session}/in", token);
        await WaitFor.TrueAsync(() => Task.FromResult(_server.HeldRequests >= 2));
        await EndAsync(way, run);
        Assert.Equal(401, (await wait.WaitAsync(TimeSpan.FromSeconds(2))).Status);
        ServerEvent? last = null;
        while (await stream.NextAsync(TimeSpan.FromSeconds(2)) is { } next)
            last = next;
        Assert.True(
            last is { Name: "error" } && last.Data.Contains("revoked", StringComparison.Ordinal),
            last?.ToString()
        );
    }

    [Fact]
    public async Task A_run_that_is_touched_before_anybody_follows_it_is_read_once_somebody_does()
    {
        var state = new RunState(1, 0, null);
        var read = new SemaphoreSlim(0);
        using var watch = new RunWatch("p", "run_1", (_, _) => Read(), _server.Database, TimeProvider.System);
        await watch.EnsureFreshAsync();
        Assert.True(watch.Has(1, LateWorker.Refused, 1));
        state = state with { EndedAt = 1 };
        await TouchAsync("run_1");
        Assert.True(read.Wait(0) && !read.Wait(0), "a touch that nobody follows reads nothing");
        using (watch.Follow())
        {
            Assert.True(await read.WaitAsync(TimeSpan.FromSeconds(5)));
            await WaitFor.TrueAsync(() => Task.FromResult(!watch.Has(1, LateWorker.Refused, 1)));
        }

        ValueTask<RunState?> Read()
        {
            read.Release();
            return ValueTask.FromResult<RunState?>(state);
        }
    }

    [Fact]
    public async Task A_run_that_was_forgotten_while_somebody_holds_it_is_never_stale()
    {
        var state = new RunState(1, 0, null);
        using var watch = new RunWatch(
            "p",
            "run_1",
            (_, _) => ValueTask.FromResult<RunState?>(state),
            _server.Database,
            TimeProvider.System
        );
        await watch.EnsureFreshAsync();
        Assert.True(watch.TryRetire());
        state = state with { EndedAt = 1 };
        await watch.EnsureFreshAsync();
        Assert.False(watch.Has(1, LateWorker.Refused, 1));
        // When it is followed again it listens again, and is not removed meanwhile.
        state = state with
        {
            EndedAt = null,
        };
        await watch.EnsureFreshAsync();
        using (watch.Follow())
        {
            Assert.False(watch.TryRetire());
            await WaitFor.TrueAsync(() => Task.FromResult(watch.Has(1, LateWorker.Refused, 1)));
            state = state with { EndedAt = 1 };
            await TouchAsync("run_1");
            await WaitFor.TrueAsync(() => Task.FromResult(!watch.Has(1, LateWorker.Refused, 1)));
        }
        Assert.True(watch.TryRetire());
    }

    private Task TouchAsync(string topic) =>
        _server.Database.WriteAsync(tx =>
        {
            tx.Notify(topic);
            return ValueTask.FromResult(0);
        });

    /// <summary>A run in its own session, held by a worker.</summary>
    private async Task<(string Run, string Token, string Session)> ClaimedAsync()
    {
        var session = (await _server.StartSessionAsync("s-" + Guid.NewGuid().ToString("N"), agent: "p")).String("id");
        await _server.SayAsync(session, "work");
        var claimed = (
            await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 10, leaseSeconds = 60 })
        ).Json.GetProperty("data")[0];
        return (
            claimed.GetProperty("run").GetProperty("id").GetString()!,
            claimed.GetProperty("token").GetString()!,
            session
        );
    }

    private async Task EndAsync(string way, string run)
    {
        switch (way)
        {
            case "cancelled":
                Assert.Equal(
                    200,
                    (await _server.PostAsync($"/api/v1/runs/{run}/cancel", new { reason = "secret reason" })).Status
                );
                break;
            case "ended":
                Assert.Equal(
                    200,
                    (await _server.PostAsync($"/api/v1/runs/{run}/status", new { status = "succeeded" })).Status
                );
                break;
            case "superseded":
                // Its lease ends, and another worker gets the run.
                _server.Clock.Advance(TimeSpan.FromSeconds(61));
                var next = (
                    await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 20 })
                ).Json.GetProperty("data")[0];
                Assert.Equal(
                    (run, 2),
                    (
                        next.GetProperty("run").GetProperty("id").GetString(),
                        next.GetProperty("run").GetProperty("attempt").GetInt32()
                    )
                );
                break;
            default:
                Assert.Equal(
                    204,
                    (await _server.SendAsync(HttpMethod.Delete, "/api/v1/agents/p?force=1", _server.RootKey)).Status
                );
                break;
        }
    }
}
