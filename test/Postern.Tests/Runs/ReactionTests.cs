using Microsoft.Extensions.DependencyInjection;
using Postern.Runs;
using Postern.Storage;
using Postern.Support;

namespace Postern.Tests.Runs;

public sealed class ReactionTests
{
    [Fact]
    public async Task A_run_is_moved_only_by_the_transaction_that_holds_it()
    {
        await using var server = await TestServer.StartAsync();
        var (project, id) = await RunAsync(server);
        var machine = server.App.Services.GetRequiredService<RunMachine>();
        var held = (await server.Database.WriteAsync(tx => HeldRun.LockAsync(tx, project, id)))!;
        var late = server.Database.WriteAsync(tx =>
            machine.MoveAsync(tx, held, new Change("paused", Actor.Server, Phase.Paused))
        );
        await Assert.ThrowsAsync<InvalidOperationException>(() => late);
        Assert.Equal("queued", (await server.GetAsync($"/api/v1/runs/{id}")).String("phase"));
    }

    [Fact]
    public async Task A_change_is_undone_when_somebody_who_must_hear_of_it_fails()
    {
        await using var server = await TestServer.StartAsync();
        var (project, id) = await RunAsync(server);
        var (created, moved) = (new Reactions<RunCreated>(), new Reactions<RunMoved>());
        var heard = new List<string>();
        moved.Declare(
            (_, change) =>
            {
                heard.Add(change.After.Phase);
                return default;
            },
            (_, _) => throw new InvalidDataException("the second")
        );
        var machine = new RunMachine(server.App.Services.GetRequiredService<WorkflowStore>(), created, moved);
        var ending = server.Database.WriteAsync(tx => machine.EndAsync(tx, project, id, Phase.Failed, "why"));
        await Assert.ThrowsAsync<InvalidDataException>(() => ending);
        Assert.All(heard, phase => Assert.Equal(Phase.Failed, phase));
        Assert.NotEmpty(heard);
        Assert.Equal("queued", (await server.GetAsync($"/api/v1/runs/{id}")).String("phase"));
    }

    [Fact]
    public async Task A_change_without_declared_reactions_is_refused()
    {
        await using var server = await TestServer.StartAsync();
        var (project, id) = await RunAsync(server);
        var machine = new RunMachine(
            server.App.Services.GetRequiredService<WorkflowStore>(),
            new Reactions<RunCreated>(),
            new Reactions<RunMoved>()
        );
        var ending = server.Database.WriteAsync(tx => machine.EndAsync(tx, project, id, Phase.Failed, "why"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => ending);
        Assert.Equal("queued", (await server.GetAsync($"/api/v1/runs/{id}")).String("phase"));
    }

    [Fact]
    public void Reactions_are_declared_once()
    {
        var reactions = new Reactions<RunCreated>();
        reactions.Declare();
        Assert.Throws<InvalidOperationException>(() => reactions.Declare());
    }

    private static async Task<(string Project, string Run)> RunAsync(TestServer server)
    {
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var run = await server.PostAsync("/api/v1/runs", new { agent = "p" });
        return (await server.ProjectAsync(), run.String("id"));
    }
}
