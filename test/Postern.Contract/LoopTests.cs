using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Access;
using Postern.Live;
using Postern.Runs;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// No fault ends a loop, and an item that cannot be handled does not delay the others. Its reason is shown where a
/// person looks for it.
/// </summary>
public sealed class LoopTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>After everything has failed, an idle server makes the same queries again.</summary>
    [Theory]
    [InlineData(Backend.Sqlite, "mistake")]
    [InlineData(Backend.Sqlite, "memory")]
    [InlineData(Backend.Sqlite, "cancelled")]
    [InlineData(Backend.Postgres, "mistake")]
    [InlineData(Backend.Postgres, "memory")]
    [InlineData(Backend.Postgres, "cancelled")]
    internal async Task Every_loop_of_the_server_goes_on(Backend backend, string fault)
    {
        BreakableDatabase broken = null!;
        var asked = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        await using var server = await TestServer.StartAsync(
            backend,
            wrap: inner => new RecordingDatabase(broken = new BreakableDatabase(inner))
            {
                Seen = sql => asked.AddOrUpdate(sql, 1, (_, times) => times + 1),
            }
        );
        // Changed keys are read every 0.4 s, everything else at least every 2 s.
        Task LooksAsync(int times) =>
            WaitFor.TrueAsync(
                () =>
                    Task.FromResult(
                        asked.Any(a => a.Key.Contains("'access_version'", StringComparison.Ordinal) && a.Value >= times)
                    ),
                Patience
            );
        await LooksAsync(5);
        asked.Clear();
        await LooksAsync(20);
        string[] regular = [.. asked.Where(a => a.Value > 1).Select(a => a.Key)];
        Assert.True(regular.Length >= 10, $"the looks were found: {regular.Length}");

        broken.Fault = fault switch
        {
            "mistake" => () => new InvalidOperationException("a fault that a test asked for"),
            "memory" => () => new OutOfMemoryException("a fault that a test asked for"),
            _ => () => new OperationCanceledException("a fault that a test asked for"),
        };
        await WaitFor.TrueAsync(() => Task.FromResult(broken.Refused > 4 * regular.Length), Patience);
        asked.Clear();
        broken.Fault = null;
        await WaitFor.TrueAsync(() => Task.FromResult(regular.All(asked.ContainsKey)), Patience);
        var loops = server.App.Services.GetServices<IHostedService>().OfType<BackgroundService>().ToList();
        Assert.True(loops.Count > 10, "the loops were found");
        Assert.All(loops, loop => Assert.False(loop.ExecuteTask!.IsCompleted, loop.GetType().Name));
        Assert.Equal(200, (await server.GetAsync("/readyz")).Status);
    }

    /// <summary>On PostgreSQL, appends that wait are written by a loop of their own.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Appends_are_written_again_after_a_fault(Backend backend)
    {
        BreakableDatabase broken = null!;
        await using var server = await TestServer.StartAsync(
            backend,
            wrap: inner => broken = new BreakableDatabase(inner)
        );
        for (var i = 0; i < 8; i++)
            await server.StartSessionAsync("s" + i);
        for (var round = 0; round < 3; round++)
        {
            var before = broken.Refused;
            var appends = Enumerable.Range(0, 64).Select(AppendAsync).ToList();
            broken.Fault = () => new OutOfMemoryException("a fault that a test asked for");
            appends.AddRange(Enumerable.Range(64, 64).Select(AppendAsync));
            await WaitFor.TrueAsync(() => Task.FromResult(broken.Refused > before), Patience);
            // Each is answered, or its connection is ended: none waits for ever.
            await Task.WhenAll(appends).WaitAsync(Patience);
            broken.Fault = null;
            var next = await Task.WhenAll(Enumerable.Range(128, 16).Select(AppendAsync)).WaitAsync(Patience);
            Assert.All(next, status => Assert.Equal(200, status));
        }

        async Task<int> AppendAsync(int number)
        {
            var path = $"/realtime/v1/sessions/s{number % 8}/out/append";
            try
            {
                return (await server.PostAsync(path, new { text = number })).Status;
            }
            catch (Exception fault) when (Unanswered.Is(fault))
            {
                return 500;
            }
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task One_held_request_that_throws_is_looked_at_beside_the_others(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("s");
        var (id, key) = await server.NamedKeyAsync("reader", "read:sessions");
        server.App.Services.GetRequiredService<StreamRegistry>().Add(new Throwing());
        await using var stream = await server.StreamAsync("/sessions/agent:echo:s/history", key);
        Assert.InRange(
            (await server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, server.RootKey)).Status,
            200,
            204
        );
        while (await stream.NextAsync(Patience) is not null) { }
        await WaitFor.TrueAsync(() =>
            Task.FromResult(
                server.Log.Text.Contains("A waiting request could not be checked", StringComparison.Ordinal)
            )
        );
        Assert.Equal(200, (await server.GetAsync("/readyz")).Status);
    }

    /// <summary>Requests with a run's token end with the run, although the first reads of the run failed.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_run_that_could_not_be_read_is_read_again_for_what_rests_on_it(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var (tries, state) = (0, new RunState(1, 0, null));
        var watch = new RunWatch("p", "run_1", ReadAsync, server.Database, TimeProvider.System);
        await watch.EnsureFreshAsync();
        using var following = watch.Follow();
        Assert.True(watch.Has(1, LateWorker.Refused, 0));
        state = new RunState(2, 0, null);
        Volatile.Write(ref tries, 1);
        await server.Database.WriteAsync(tx =>
        {
            tx.Notify("run_1");
            return new ValueTask<int>(0);
        });
        await WaitFor.TrueAsync(() => Task.FromResult(!watch.Has(1, LateWorker.Refused, 0)), Patience);
        Assert.InRange(tries, 3, 10);

        ValueTask<RunState?> ReadAsync(string project, string run)
        {
            if (Volatile.Read(ref tries) > 0 && Interlocked.Increment(ref tries) < 4)
                throw new InvalidOperationException("a fault that a test asked for");
            return new(state);
        }
    }

    /// <summary>
    /// An agent whose row is unreadable: its run ends with that reason, the next agent's run does not.
    /// </summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_run_that_cannot_be_given_to_its_agent_ends_with_the_reason(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        foreach (var slug in (string[])["broken", "whole"])
            await server.SendAsync(HttpMethod.Put, "/api/v1/agents/" + slug, server.RootKey, new { kind = "pull" });
        var run = (await server.PostAsync("/api/v1/runs", new { agent = "broken" })).String("id");
        await WaitFor.TrueAsync(async () => await CountAsync("claim_at IS NOT NULL") == 1, Patience);
        // A later version, or a person, may have written it.
        await server.Database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync("UPDATE run SET due_at = 1, claim_at = NULL, deadline_at = $1", tx.Now * 2);
            return await tx.ExecuteAsync("UPDATE agent SET settings = '{' WHERE slug = 'broken'");
        });
        for (var tries = 1; tries <= 5; tries++)
        {
            await WaitFor.TrueAsync(
                () => Task.FromResult(server.Log.Text.Split($"A turn of {run} failed here").Length > tries),
                Patience
            );
            server.Clock.Advance(TimeSpan.FromSeconds(11));
        }
        await WaitFor.TrueAsync(async () => await CountAsync("ended_at IS NOT NULL") == 1, Patience);
        var ended = (await server.GetAsync("/api/v1/runs/" + run)).Json;
        Assert.Equal("failed", ended.GetProperty("phase").GetString());
        Assert.Equal("dispatch_failed", ended.GetProperty("failure").GetProperty("code").GetString());
        Assert.Contains(
            "could not give the run to broken",
            ended.GetProperty("reason").GetString(),
            StringComparison.Ordinal
        );
        await server.PostAsync("/api/v1/runs", new { agent = "whole" });
        await WaitFor.TrueAsync(async () => await CountAsync("claim_at IS NOT NULL") == 1, Patience);

        ValueTask<long> CountAsync(string what) =>
            server.Database.ReadAsync(tx =>
                tx.FirstAsync($"SELECT COUNT(*) FROM run WHERE {what}", r => r.GetInt64(0))
            );
    }

    /// <summary>
    /// An endpoint whose secret cannot be decrypted: the attempt is recorded with that reason, and repeated later and
    /// later.
    /// </summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_delivery_that_cannot_be_made_is_an_attempt_that_failed(Backend backend)
    {
        await using var broken = await Receiver.StartAsync();
        await using var good = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        foreach (var (name, receiver) in ((string, Receiver)[])[("broken", broken), ("good", good)])
            await server.SendAsync(
                HttpMethod.Put,
                "/api/v1/webhook-endpoints/" + name,
                server.RootKey,
                new { url = receiver.Url, events = new[] { "session.*" } }
            );
        await server.Database.WriteAsync(tx =>
            tx.ExecuteAsync("UPDATE webhook_endpoint SET sealed_secret = $1 WHERE id = 'broken'", new byte[64])
        );
        await server.StartSessionAsync("s");
        JsonElement failed = default;
        await WaitFor.TrueAsync(
            async () =>
            {
                failed = (await server.GetAsync("/api/v1/deliveries?status=pending"))
                    .Json.GetProperty("data")
                    .EnumerateArray()
                    .FirstOrDefault(d => d.GetProperty("attemptCount").GetInt64() > 0);
                return failed.ValueKind != JsonValueKind.Undefined;
            },
            Patience
        );
        var shown = (await server.GetAsync("/api/v1/deliveries/" + failed.GetProperty("id").GetString())).Json;
        Assert.Equal("failed", shown.GetProperty("attempts")[0].GetProperty("category").GetString());
        Assert.Contains("could not be made", shown.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await good.OfTypeAsync("session.created");
        Assert.Empty(broken.Taken);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task An_audit_row_that_cannot_be_written_keeps_no_other_waiting(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var audit = server.App.Services.GetRequiredService<Audit>();
        // Half a character, which PostgreSQL refuses.
        audit.Note(new AuditRow(Audit.NoProject, "test.poison", Reason: "a\0b\ud83d"));
        audit.Note(new AuditRow(Audit.NoProject, "test.good", Reason: "good"));
        await WaitFor.TrueAsync(async () => await CountAsync("test.good") == 1, Patience);
        audit.Note(new AuditRow(Audit.NoProject, "test.later", Reason: "good"));
        await WaitFor.TrueAsync(async () => await CountAsync("test.later") == 1, Patience);
        if (backend == Backend.Postgres)
            Assert.Contains("cannot be written and is lost", server.Log.Text, StringComparison.Ordinal);

        ValueTask<long> CountAsync(string action) =>
            server.Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT COUNT(*) FROM audit WHERE action = $1", r => r.GetInt64(0), action)
            );
    }

    private sealed class Throwing : IHeldRequest
    {
        public void Look() => throw new InvalidOperationException("a fault that a test asked for");

        public void End(string reason) { }

        public void Dispose() { }
    }
}
