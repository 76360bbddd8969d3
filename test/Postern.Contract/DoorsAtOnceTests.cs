using Npgsql;
using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Every door that writes, at once, on the same session, run, question, trigger, endpoint and job. There is no
/// deadlock, and no answer is a fault. So every pair of transactions that share rows meets. A new door is included
/// automatically.
/// </summary>
public sealed class DoorsAtOnceTests
{
    private const int Rounds = 3;
    private const string Form = "application/x-www-form-urlencoded";

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task No_two_doors_deadlock_and_none_answers_by_a_fault(Backend backend)
    {
        await using var world = await TimeWorld.StartAsync(backend);
        var doors = world.Server.Doors.Table.Where(d => d.Method is not ("GET" or "HEAD") && Opens(d)).ToList();
        Assert.True(doors.Count > 80, $"the doors were found: {doors.Count}");
        // Random numbers with a fixed seed.
        var dice = new Random(23);
        var (statuses, met) = (new List<int>(), new HashSet<string>(StringComparer.Ordinal));
        for (var round = 0; round < Rounds; round++)
        {
            var scene = new TimeScene(world);
            var sends = new List<Func<Task<Answer>>>();
            foreach (var door in doors)
            {
                var request = await PrepareAsync(door, scene);
                met.Add($"{door.Method} {door.Path}");
                for (var i = 0; i < 3; i++)
                    sends.Add(() => SendAsync(world, door, request));
            }
            var trigger = (await scene.TriggerAsync("user")).Replace(
                "/api/triggers",
                "/inbound",
                StringComparison.Ordinal
            );
            var (run, token) = (await scene.RunAsync(), await scene.RunTokenAsync());
            for (var i = 0; i < 8; i++)
            {
                var body = $$"""{"n":{{i}}}""";
                sends.Add(() =>
                    world.Server.SendAsync(HttpMethod.Post, trigger, null, body, Asking.Sign256(body, TimeWorld.Secret))
                );
                sends.Add(() => world.Server.PostAsync($"/api/v1/runs/{run}/heartbeat", null, token));
            }
            var asked = sends.ToArray();
            dice.Shuffle(asked);
            foreach (var answer in await Task.WhenAll(asked.Select(send => send())))
            {
                // 503: a row was locked for two seconds by earlier requests. 501: never offered.
                Assert.True(answer.Status is < 500 or 501 or 503, answer.ToString());
                statuses.Add(answer.Status);
            }
        }
        Assert.Equal(doors.Count, met.Count);
        Assert.InRange(statuses.Count(s => s is >= 200 and < 400), statuses.Count / 4, statuses.Count);
        Assert.DoesNotContain("which comes first", world.Server.Log.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("locks another", world.Server.Log.Text, StringComparison.Ordinal);
        if (backend == Backend.Postgres)
            Assert.Equal(0, await DeadlocksAsync(world));
    }

    private static bool Opens(Door door) =>
        door.Credentials.HasFlag(Credentials.Key) || door.Credentials.HasFlag(Credentials.Console);

    /// <summary>On the things of the round; a door that needs them in another state gets its own.</summary>
    private static async Task<DoorRequest> PrepareAsync(Door door, TimeScene scene)
    {
        try
        {
            return await DoorRequests.OfAsync(door, scene);
        }
        catch (Exception fault) when (fault is not InvalidOperationException)
        {
            return await DoorRequests.OfAsync(door, new TimeScene(scene.World));
        }
    }

    private static async Task<Answer> SendAsync(TimeWorld world, Door door, DoorRequest request)
    {
        var method = new HttpMethod(door.Method == Door.AnyMethod ? "POST" : door.Method);
        if (!door.Credentials.HasFlag(Credentials.Console))
            return await world.Server.SendAsync(
                method,
                request.Path,
                world.Server.RootKey,
                request.Bytes,
                [("Content-Type", request.Media), .. request.Headers]
            );
        // A form is accepted once for a session and name, so each comes from its own browser.
        var (_, cookie) = await ConsoleCookie.OfAsync(world.Server, "admin", "write:approvals", "read:approvals");
        var fields = request.Body as string ?? "";
        return await world.Server.SendAsync(
            method,
            request.Path,
            null,
            cookie.Form(fields),
            [.. cookie.Headers, ("Content-Type", Form)]
        );
    }

    private static ValueTask<long> DeadlocksAsync(TimeWorld world) =>
        world.Server.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
                r => r.GetInt64(0)
            )
        );

    /// <summary>The same for the doors of a relay, on one plane.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_those_who_write_about_one_plane_none_deadlocks(Backend backend)
    {
        var postgres = backend == Backend.Postgres ? PostgresServer.NewDatabase() : null;
        await using var one = await RelayNode.StartAsync(backend, postgres: postgres);
        await using var other =
            backend == Backend.Postgres ? await RelayNode.StartAsync(backend, postgres: postgres) : null;
        RelayNode[] nodes = other is null ? [one, one] : [one, other];
        using var plane = await one.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", TestPlane.Door("/inbound/a"));
        var answering = session.AnswerAllAsync((_, _) => (200, "{}"));
        var dice = new Random(29);
        var code = await one.CodeAsync();
        for (var round = 0; round < 4; round++)
        {
            Func<int, Task<Answer>>[] acts =
            [
                i => nodes[i % 2].PostAsync(plane.At("/inbound/a"), $$"""{"n":{{i}}}""", ("Prefer", "wait=5")),
                i => nodes[i % 2].PostAsync(plane.At("/inbound/a"), $$"""{"a":{{i}}}""", ("Prefer", "respond-async")),
                i =>
                    nodes[i % 2]
                        .AdminAsync(HttpMethod.Patch, $"/relay/v1/planes/{plane.Id}", new { envelopes = 5000 + i }),
                i => nodes[i % 2].AdminAsync(HttpMethod.Get, "/relay/v1/planes"),
                i =>
                    nodes[i % 2]
                        .AdminAsync(HttpMethod.Post, "/relay/v1/codes", new { name = "c" + i, plane = plane.Id }),
            ];
            var asked = Enumerable.Range(0, 64).Select(i => (Act: acts[i % acts.Length], i)).ToArray();
            dice.Shuffle(asked);
            var joining = round == 3 ? TestPlane.JoinAsync(nodes[1], code) : null;
            foreach (var answer in await Task.WhenAll(asked.Select(a => a.Act(a.i))))
                Assert.True(answer.Status is < 500 or 503, answer.ToString());
            (joining is null ? null : await joining)?.Dispose();
        }
        Assert.Equal(204, (await one.AdminAsync(HttpMethod.Delete, $"/relay/v1/planes/{plane.Id}")).Status);
        await Record.ExceptionAsync(() => answering);
        if (postgres is null)
            return;
        await using var source = NpgsqlDataSource.Create(postgres);
        await using var command = source.CreateCommand(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        );
        Assert.Equal(0L, await command.ExecuteScalarAsync());
    }
}
