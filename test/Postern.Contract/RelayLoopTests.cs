using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Relay.Protocol;
using Postern.Relay.Server;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// No fault ends a loop of a relay. A fault in a loop of a plane's connection ends at most that connection, and the
/// plane's next one is offered what is unanswered.
/// </summary>
public sealed class RelayLoopTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly DoorEntry Hook = TestPlane.Door("/inbound/a", waitMs: 30_000);

    /// <summary>After everything has failed, a relay with a plane makes the same queries again.</summary>
    [Theory]
    [InlineData(Backend.Sqlite, "mistake")]
    [InlineData(Backend.Sqlite, "memory")]
    [InlineData(Backend.Sqlite, "cancelled")]
    [InlineData(Backend.Postgres, "mistake")]
    [InlineData(Backend.Postgres, "memory")]
    [InlineData(Backend.Postgres, "cancelled")]
    internal async Task Every_loop_of_a_relay_goes_on(Backend backend, string fault)
    {
        BreakableDatabase broken = null!;
        var asked = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        await using var relay = await RelayNode.StartAsync(
            backend,
            wrap: inner => new RecordingDatabase(broken = new BreakableDatabase(inner))
            {
                Seen = sql => asked.AddOrUpdate(sql, 1, (_, times) => times + 1),
            }
        );
        using var plane = await relay.JoinAsync();
        await using var holder = await plane.ConnectAsync("node_1", Hook);
        await using var standby = await plane.ConnectAsync("other_1");
        // The holder looks every 5 s whether it is still wanted, the standby every second.
        await WaitFor.TrueAsync(() => Task.FromResult(asked.Count(a => a.Value > 2) >= 8), Patience);
        asked.Clear();
        await WaitFor.TrueAsync(() => Task.FromResult(asked.Values.Any(times => times >= 20)), Patience);
        string[] regular = [.. asked.Where(a => a.Value > 1).Select(a => a.Key)];
        Assert.Contains(regular, sql => sql.Contains("FROM relay_request", StringComparison.Ordinal));
        Assert.Contains(regular, sql => sql.Contains("FROM relay_connection", StringComparison.Ordinal));

        broken.Fault = fault switch
        {
            "mistake" => () => new InvalidOperationException("a fault that a test asked for"),
            "memory" => () => new OutOfMemoryException("a fault that a test asked for"),
            _ => () => new OperationCanceledException("a fault that a test asked for"),
        };
        Assert.True((await relay.PostAsync(plane.At(Hook.Path), "{}")).Status >= 500, "it is not said to be stored");
        await WaitFor.TrueAsync(() => Task.FromResult(broken.Refused > 4 * regular.Length), Patience);
        asked.Clear();
        broken.Fault = null;
        await using var next = await plane.ConnectAsync("node_2");
        await using var nextStandby = await plane.ConnectAsync("other_2");
        await WaitFor.TrueAsync(() => Task.FromResult(regular.All(asked.ContainsKey)), Patience);
        var loops = relay.App.Services.GetServices<IHostedService>().OfType<BackgroundService>().ToList();
        Assert.Contains(loops, loop => loop is RelaySweeper);
        Assert.All(loops, loop => Assert.False(loop.ExecuteTask!.IsCompleted, loop.GetType().Name));
        var answering = next.AnswerAllAsync((_, _) => (200, "done"));
        Assert.Equal("200 done", (await relay.PostAsync(plane.At(Hook.Path), "{}")).ToString());
        await next.CutAsync();
        await answering;
    }

    /// <summary>The statement of each loop that the others do not make.</summary>
    private static readonly (string Loop, string Sql)[] Statements =
    [
        ("receives", "UPDATE relay_plane SET doors_version"),
        ("settles", "SELECT seq, id, state, size, is_known"),
        ("sends", "SELECT seq, id, lane, size, expires_at"),
        ("watches", "SELECT 1 FROM relay_connection WHERE plane = $1 AND connection = $2"),
    ];

    [Theory]
    [InlineData(Backend.Sqlite, false)]
    [InlineData(Backend.Sqlite, true)]
    [InlineData(Backend.Postgres, false)]
    [InlineData(Backend.Postgres, true)]
    internal async Task A_connection_one_of_whose_loops_fails_loses_nothing(Backend backend, bool isAway)
    {
        var (failing, failed) = ("", 0);
        await using var relay = await RelayNode.StartAsync(
            backend,
            wrap: inner => new RecordingDatabase(inner)
            {
                Seen = sql =>
                {
                    if (failing.Length == 0 || !sql.TrimStart().StartsWith(failing, StringComparison.Ordinal))
                        return;
                    Interlocked.Increment(ref failed);
                    throw isAway
                        ? new StorageUnavailableException("a fault that a test asked for")
                        : new InvalidOperationException("a fault that a test asked for");
                },
            }
        );
        using var plane = await relay.JoinAsync();
        var session = await plane.ConnectAsync("node_0", Hook);
        foreach (var ((loop, sql), number) in Statements.Select((s, i) => (s, i + 1)))
        {
            Assert.True(session.Ready.Holder, loop);
            failed = 0;
            var answer = relay.PostAsync(plane.At(Hook.Path), "{}");
            var offered = await session.NextAsync<EnvelopeHead>();
            failing = sql;
            var second = loop == "sends" ? relay.PostAsync(plane.At(Hook.Path), "{}") : null;
            if (loop == "receives")
                await session.SendAsync(new DoorsHead(session.Ready.Doors + 9), DoorsHead.BodyOf([Hook]));
            if (loop == "settles")
                await session.AnswerAsync(offered, 200, loop);
            if (loop == "watches")
                await relay.Database.WriteAsync(tx =>
                {
                    tx.Notify(RelayTopics.OfConnections(plane.Id));
                    return new ValueTask<int>(0);
                });
            await WaitFor.TrueAsync(() => Task.FromResult(Volatile.Read(ref failed) > 0), Patience);
            // While the database is away, each loop waits for it; what the plane sends is refused with the connection.
            var ends = !isAway || loop == "receives";
            if (ends)
                await session.Closed.Task.WaitAsync(Patience);
            failing = "";
            if (ends)
            {
                await session.DisposeAsync();
                session = await plane.ConnectAsync($"node_{number}");
                offered = await session.NextAsync<EnvelopeHead>();
            }
            if (ends || loop != "settles")
                await session.AnswerAsync(offered, 200, loop);
            if (second is not null)
                await session.AnswerAsync(await session.NextAsync<EnvelopeHead>(), 200, "second");
            Assert.Equal("200 " + loop, (await answer).ToString());
            if (second is not null)
                Assert.Equal("200 second", (await second).ToString());
            Assert.False(session.Closed.Task.IsCompleted, loop);
        }
        await session.DisposeAsync();
    }
}
