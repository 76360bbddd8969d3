using System.Diagnostics.Metrics;
using Postern.Relay.Protocol;
using Postern.Relay.Server;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Simultaneous requests for one plane are stored together, each with its own outcome.</summary>
public sealed class ArrivalContract
{
    private const long Hour = 3_600_000_000;
    private static readonly DoorEntry Hook = TestPlane.Door("/inbound/a");
    private static readonly DoorEntry Other = TestPlane.Door("/inbound/b");

    private static readonly DoorEntry Decision = TestPlane.Door(
        "/api/v1/webhooks/approval-response",
        DoorEntry.Approvals,
        10_000
    );

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_at_once_as_many_are_stored_as_there_is_room_for(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync(new { name = "small", envelopes = 100 });
        await using (await plane.ConnectAsync("node-1", Hook, Other, Decision)) { }
        // Unknown networks have a quarter together, whichever paths they call.
        var unknown = await StoreAsync(relay, plane, 200, i => i % 2 == 0 ? Hook.Path : Other.Path);
        Assert.Equal((25, 175), (unknown.Count(a => a.Status == 202), unknown.Count(a => a.Status == 503)));
        Assert.All(unknown.Where(a => a.Status == 503), a => Assert.Equal("60", a.Header("Retry-After")));
        await KnowAsync(relay, plane);
        // One path has half, all paths nine tenths, decisions the rest.
        var lane = await StoreAsync(relay, plane, 100, _ => Hook.Path);
        Assert.Equal(50, await CountAsync(relay, Hook.Path));
        Assert.Equal(lane.Count(a => a.Status == 202) + 25, await CountAsync(relay, null));
        await StoreAsync(relay, plane, 100, _ => Other.Path);
        Assert.Equal(90, await CountAsync(relay, null));
        await StoreAsync(relay, plane, 100, _ => Decision.Path);
        Assert.Equal(100, await CountAsync(relay, null));
        var seqs = await relay.Database.ReadAsync(tx =>
            tx.ListAsync("SELECT seq FROM relay_request ORDER BY seq LIMIT 200", r => r.GetInt64(0))
        );
        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), seqs);
        await AssertCountedAsync(relay, plane);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task The_backlog_is_full_to_the_byte(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync(new { name = "small", bytes = NewCode.LeastBytes });
        await using (await plane.ConnectAsync("node-1", Hook, Other)) { }
        await KnowAsync(relay, plane);
        var store = relay.Get<EnvelopeStore>();
        var most = NewCode.LeastBytes / 10 * 9;
        // Each has another size, so it depends on the bytes which of them fit.
        var sizes = Enumerable.Range(0, 400).Select(i => 20_000 + (i * 7919 % 30_000)).ToList();
        var outcomes = await Task.WhenAll(
            sizes.Select((size, i) => store.StoreAsync(Envelope(plane, i % 2 == 0 ? Hook : Other, size), Hour))
        );
        Assert.Contains(outcomes, o => o is StoreOutcome.Full);
        var stored = await AssertCountedAsync(relay, plane);
        Assert.InRange(stored, most - 60_000, most);
        // The rest, to the last byte; and then not one more.
        var left = (int)(most - stored);
        var smallest = Envelope(plane, Hook, 0).Size;
        if (left > smallest)
        {
            Assert.IsType<StoreOutcome.Full>(
                await store.StoreAsync(Envelope(plane, Small, (int)(left - smallest) + 1), Hour)
            );
            Assert.IsType<StoreOutcome.Stored>(
                await store.StoreAsync(Envelope(plane, Small, (int)(left - smallest)), Hour)
            );
            Assert.Equal(most, await AssertCountedAsync(relay, plane));
        }
        Assert.IsType<StoreOutcome.Full>(await store.StoreAsync(Envelope(plane, Small, 0), Hour));
    }

    /// <summary>A third path, whose half is far away, of the same length.</summary>
    private static DoorEntry Small { get; } = TestPlane.Door("/inbound/c");

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task One_that_cannot_be_stored_fails_alone(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using (await plane.ConnectAsync("node-1", Hook)) { }
        var store = relay.Get<EnvelopeStore>();
        // Two of a hundred have the same receipt.
        var asked = Enumerable
            .Range(0, 100)
            .Select(i =>
                store.StoreAsync(
                    Envelope(plane, Hook, 10) with
                    {
                        Receipt = [.. Enumerable.Repeat((byte)(i == 50 ? 10 : i), 32)],
                    },
                    Hour
                )
            )
            .ToList();
        var failed = 0;
        foreach (var one in asked)
            try
            {
                Assert.IsType<StoreOutcome.Stored>(await one);
            }
            catch (Exception fault) when (fault is UniqueViolationException or Microsoft.Data.Sqlite.SqliteException)
            {
                failed++;
            }
        Assert.Equal(1, failed);
        Assert.Equal(99, await CountAsync(relay, null));
        await AssertCountedAsync(relay, plane);
    }

    [Fact]
    public async Task Nothing_is_stored_for_a_plane_that_is_revoked_meanwhile()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using (await plane.ConnectAsync("node-1", Hook)) { }
        Assert.Equal(204, (await relay.AdminAsync(HttpMethod.Delete, "/relay/v1/planes/" + plane.Id)).Status);
        var outcomes = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => relay.Get<EnvelopeStore>().StoreAsync(Envelope(plane, Hook, 10), Hour))
        );
        Assert.All(outcomes, o => Assert.IsType<StoreOutcome.NoPlane>(o));
        Assert.Equal(0, await relay.CountAsync("relay_request"));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_a_dead_relay_node_left_held_is_its_planes_nodes_own_at_once(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await relay.Database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync(
                "INSERT INTO relay_connection (plane, connection, node, address, transport, since, seen_at) "
                    + "VALUES ($1, 'con_dead', 'node-1', '127.0.0.1', 'websocket', $2, $2)",
                plane.Id,
                tx.Now
            );
            return await tx.ExecuteAsync(
                "UPDATE relay_plane SET holder = 'con_dead', holder_until = $2 WHERE plane = $1",
                plane.Id,
                tx.Now + RelayPlaneStore.Lease
            );
        });
        // Another node cannot know that the connection is dead; the same node can.
        await using var other = await plane.ConnectAsync("node-2");
        Assert.False(other.Ready.Holder);
        await using var same = await plane.ConnectAsync("node-1", Hook);
        var asked = relay.PostAsync(plane.At(Hook.Path), "{}");
        var holder = same.Ready.Holder ? same : other;
        await holder.AnswerAsync(await holder.NextAsync<EnvelopeHead>(seconds: 5), 200, "");
        Assert.Equal(200, (await asked).Status);
    }

    [Fact]
    public async Task The_backlog_is_measured_when_somebody_reads_it()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using (await plane.ConnectAsync("node-1", Hook)) { }
        for (var i = 0; i < 7; i++)
            Assert.Equal(202, (await relay.PostAsync(plane.At(Hook.Path), "{}", ("Prefer", "respond-async"))).Status);
        var read = new System.Collections.Concurrent.ConcurrentDictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, to) =>
            {
                if (instrument.Name.StartsWith("postern.relay.", StringComparison.Ordinal))
                    to.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => read[instrument.Name] = value);
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => read[instrument.Name] = value);
        listener.Start();
        // Other tests of this process also have relays, so the metrics are read several times.
        await WaitFor.TrueAsync(
            () =>
            {
                listener.RecordObservableInstruments();
                return Task.FromResult(
                    read.GetValueOrDefault("postern.relay.backlog.count") == 7
                        && read["postern.relay.planes"] == 1
                        && read["postern.relay.backlog.bytes"] > 7 * 1024
                        && read["postern.relay.backlog.oldest"] > 0
                );
            },
            TimeSpan.FromSeconds(60)
        );
    }

    private static NewEnvelope Envelope(TestPlane plane, DoorEntry door, int size) =>
        new(
            plane.Id,
            new RelayedRequest("POST", door.Path, "127.0.0.1", [], new byte[size]),
            door,
            "http://relay" + door.Path,
            "127.0.0.0/24",
            true,
            System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)
        )
        {
            OpenKey = plane.Open.Public.Text,
        };

    private static async Task<List<Answer>> StoreAsync(
        RelayNode relay,
        TestPlane plane,
        int count,
        Func<int, string> path
    ) =>
        [
            .. await Task.WhenAll(
                Enumerable
                    .Range(0, count)
                    .Select(i => relay.PostAsync(plane.At(path(i)), "{}", ("Prefer", "respond-async")))
            ),
        ];

    /// <summary>From now on the test's network is known to the plane.</summary>
    private static async Task KnowAsync(RelayNode relay, TestPlane plane) =>
        await relay.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                "INSERT INTO relay_network (plane, network, until) VALUES ($1, $2, $3)",
                plane.Id,
                "127.0.0.0/24",
                tx.Now + Hour
            )
        );

    private static ValueTask<long> CountAsync(RelayNode relay, string? path) =>
        relay.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT COUNT(*) FROM relay_request WHERE state = 'stored' AND ($1 = '' OR lane = $1)",
                r => r.GetInt64(0),
                path is null ? "" : Lane.Of(path)
            )
        );

    /// <summary>The plane's row counts what is there. Returns the bytes.</summary>
    private static async Task<long> AssertCountedAsync(RelayNode relay, TestPlane plane)
    {
        var row = await relay.Get<RelayPlaneStore>().FindAsync(plane.Id);
        var there = await relay.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM relay_request WHERE state = 'stored'",
                r => (r.GetInt64(0), Convert.ToInt64(r.GetValue(1)))
            )
        );
        Assert.Equal((row!.OpenCount, row.OpenBytes), there);
        Assert.Equal(row.NextSeq - 1, await relay.CountAsync("relay_request"));
        return there.Item2;
    }
}
