using Microsoft.Extensions.DependencyInjection;
using Postern.Runs;
using Postern.Sessions;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Things that are removed while somebody is about to use them.</summary>
public sealed class RemovalTests
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_version_that_a_run_is_being_made_of_stays(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        await PutAsync(1);
        var chosen = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var project = await server.ProjectAsync();
        Task made = Task.CompletedTask;
        if (backend == Backend.Postgres)
        {
            // As when the run's own statements are held up behind the choice of its workflow.
            made = server.Database.WriteAsync(async tx =>
            {
                var workflow = (await WorkflowStore.ChooseNewestAsync(tx, project, "w"))!;
                chosen.SetResult();
                await release.Task;
                return await tx.ExecuteAsync(
                    """
                    INSERT INTO run (project, id, agent, workflow, workflow_version, status, attempt, boot_message,
                      continuation,
                      created_at, updated_at, deadline_at, lease_until, lease_no, tries, idle_seconds)
                    VALUES ($1, 'run_slow', 'p', 'w', $2, 'succeeded', 1, 0, 0, 1, 1, 1, 0, 0, 0, 1)
                    """,
                    project,
                    workflow.Version
                );
            });
            await chosen.Task;
        }
        var puts = Task.Run(async () =>
        {
            await PutAsync(2);
            await PutAsync(3);
        });
        await Task.WhenAny(puts, Task.Delay(500));
        release.SetResult();
        await Task.WhenAll(made, puts);
        var kept = await server.Database.ReadAsync(tx =>
            tx.ListAsync("SELECT version FROM workflow WHERE name = 'w' ORDER BY version", r => r.GetInt64(0))
        );
        Assert.Equal(backend == Backend.Postgres ? [1, 2, 3] : [2, 3], kept);

        async Task PutAsync(int n)
        {
            // A row that is locked for too long on a busy machine answers 503; the test repeats it, as a client would.
            Answer put;
            do
            {
                put = await server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/workflows/w",
                    server.RootKey,
                    new
                    {
                        initial = "new",
                        states = new Dictionary<string, object>
                        {
                            ["new"] = new { phase = "queued", to = new[] { "work" + n } },
                            ["work" + n] = new
                            {
                                phase = "running",
                                to = new[] { "done", "bad" },
                                self = true,
                            },
                            ["done"] = new { phase = "succeeded", to = Array.Empty<string>() },
                            ["bad"] = new { phase = "failed", to = Array.Empty<string>() },
                        },
                    }
                );
            } while (put.Status == 503);
            Assert.InRange(put.Status, 200, 201);
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Removing_a_session_leaves_nothing(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("gone");
        await server.SayAsync("gone", "hello");
        await server.SettledAsync();
        await server.PostAsync("/api/v1/sessions/gone/close", null);
        await server.SettledAsync();
        var project = await server.ProjectAsync();
        var session = (await server.GetAsync("/api/v1/sessions/gone")).String("id");
        var name = Conversation.NameOf(
            (await server.Database.ReadAsync(tx => SessionStore.FindAsync(tx, project, session)))!
        );
        var sessions = server.App.Services.GetRequiredService<SessionStore>();
        Assert.Equal(1, await server.Database.WriteAsync(tx => sessions.DeleteAsync(tx, name)));
        Assert.Equal(0, await server.Database.WriteAsync(tx => sessions.DeleteAsync(tx, name)));
        foreach (var table in (string[])["session", "record", "message", "run", "run_event", "run_data", "run_attempt"])
            Assert.Equal(0, await CountAsync(server, table));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Removing_a_run_leaves_nothing(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var run = (
            await server.PostAsync("/api/v1/runs", new { agent = "p" }, null, ("Idempotency-Key", "one"))
        ).String("id");
        await server.PostAsync($"/api/v1/runs/{run}/cancel", null);
        var project = await server.ProjectAsync();
        await server.Database.WriteAsync(async tx =>
        {
            await server.App.Services.GetRequiredService<RunStore>().DeleteAsync(tx, project, run);
            return 0;
        });
        foreach (var table in (string[])["run", "run_event", "run_data", "run_attempt", "run_request"])
            Assert.Equal(0, await CountAsync(server, table));
    }

    private static async Task<long> CountAsync(TestServer server, string table) =>
        await server.Database.ReadAsync(tx => tx.FirstAsync($"SELECT COUNT(*) FROM {table}", r => r.GetInt64(0)));
}
