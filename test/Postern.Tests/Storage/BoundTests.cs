using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Live;
using Postern.Sessions;
using Postern.Storage;
using Postern.Support;

namespace Postern.Tests.Storage;

/// <summary>Every structure in memory has the limit in docs/operating.md: each is filled far beyond it.</summary>
public sealed class BoundTests
{
    /// <summary>The number of items to fill in, the bound, and the number afterwards.</summary>
    private static readonly Dictionary<string, (int Filled, int Bound, Func<TestServer, int, int> Fill)> Structures =
        new()
        {
            ["names of sessions"] = (60_000, 50_000, NamesOfSessions),
            ["buckets of rates"] = (60_000, TokenBuckets.Kept + 1_024, Buckets),
            ["prepared statements"] = (2_000, SqliteConnectionCache.Kept, Statements),
            ["revocations of tokens that have expired"] = (10_000, 0, ExpiredRevocations),
            ["topics that nobody listens to any more"] = (10_000, 0, Topics),
            ["logs that nobody follows"] = (0, 0, (server, _) => server.App.Services.GetRequiredService<Tails>().Count),
            ["turns that are folded"] = (
                0,
                0,
                (server, _) => server.App.Services.GetRequiredService<TurnAssemblers>().Count
            ),
        };

    public static TheoryData<string> Names => [.. Structures.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task It_has_its_bound(string name)
    {
        await using var server = await TestServer.StartAsync();
        var (filled, bound, fill) = Structures[name];
        Assert.InRange(fill(server, filled), 0, bound);
    }

    [Fact]
    public async Task A_tail_keeps_no_more_than_its_newest_frames()
    {
        const int frames = 10_000;
        var tail = new Tail(
            new LogSource("k", "t", () => new ValueTask<long>(0), Read),
            TimeProvider.System,
            fault => Assert.Fail(fault.ToString())
        );
        await tail.StartAsync();
        await WaitFor.TrueAsync(() => Task.FromResult(tail.Next == frames));
        var kept = Enumerable.Range(0, frames).Count(i => tail.Find(i, out _, out _) is not null);
        Assert.InRange(kept, 1, 256);

        static ValueTask<Batch> Read(long from) =>
            new(
                new Batch(
                    [
                        .. Enumerable
                            .Range((int)from, (int)Math.Min(500, frames - from))
                            .Select(i => new Frame(i, i + 1, new byte[10])),
                    ],
                    null
                )
            );
    }

    private static int NamesOfSessions(TestServer server, int count)
    {
        var sessions = server.App.Services.GetRequiredService<SessionStore>();
        for (var i = 0; i < count; i++)
            sessions.Keep(SessionNamed("session_" + i));
        return sessions.NamesKept;
    }

    private static int Buckets(TestServer server, int count)
    {
        var buckets = new TokenBuckets(server.Clock);
        for (var i = 0; i < count; i++)
            buckets.Take("name " + i, 100, 0.001);
        return buckets.Count;
    }

    private static int Statements(TestServer server, int count)
    {
        using var connection = new SqliteConnectionCache("Data Source=:memory:");
        for (var i = 0; i < count; i++)
            connection.First($"SELECT {i}", r => r.GetInt64(0), []);
        return connection.Count;
    }

    private static int ExpiredRevocations(TestServer server, int count)
    {
        var revocations = new Revocations();
        revocations.Add(Enumerable.Range(0, count).Select(i => new RevocationRow("p", "jti", "j" + i, null, 5, i)));
        revocations.Forget(server.Database.Now);
        return revocations.Count;
    }

    private static int Topics(TestServer server, int count)
    {
        var changes = new Changes();
        var listening = Enumerable.Range(0, count).Select(i => changes.Listen("t" + (i / 2), () => { })).ToList();
        Assert.Equal(count / 2, changes.Count);
        foreach (var one in listening)
            one.Dispose();
        return changes.Count;
    }

    private static Session SessionNamed(string id) =>
        new()
        {
            Project = "p",
            Id = id,
            Key = id,
            Type = "chat",
            Agent = "echo",
            Tags = "[]",
            CreatedAt = 0,
            UpdatedAt = 0,
            CurrentAttempt = 1,
            InNext = 0,
            OutNext = 0,
            MessageNext = 1,
            InMessageSeq = -1,
            InAnsweredSeq = -1,
            StopSeq = -1,
            OutSettled = false,
            TurnSeconds = 0,
            TurnInSeq = -1,
            TurnOutSeq = 0,
        };
}
