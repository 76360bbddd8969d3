using Microsoft.Extensions.Time.Testing;
using Postern.Runs;
using Postern.Support;

namespace Postern.Tests.Runs;

/// <summary>When counts of runs are counted again, and how many are kept.</summary>
public sealed class KeptCountsTests
{
    private static readonly RunFilter All = new() { IsShown = null };

    [Fact]
    public async Task They_are_counted_again_after_a_change_and_after_ten_seconds_and_only_then()
    {
        await using var server = await TestServer.StartAsync();
        var clock = new FakeTimeProvider();
        var kept = new KeptCounts(server.Database.Changes, clock);
        var (project, times) = (await server.ProjectAsync(), 0);
        await CountAsync(project, All);
        await CountAsync(project, All);
        await CountAsync(project, All with { After = new(1, "run_1") });
        Assert.Equal(1, times);
        await CountAsync(project, All with { Phases = ["failed"] });
        await CountAsync("proj_other", All);
        await CountAsync(project, All with { IsShown = "session IS NULL" });
        Assert.Equal(4, times);

        await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false });
        await CountAsync(project, All);
        await CountAsync("proj_other", All);
        Assert.Equal(5, times);
        clock.Advance(KeptCounts.Longest);
        await CountAsync(project, All);
        await CountAsync("proj_other", All);
        Assert.Equal(7, times);

        async Task CountAsync(string of, RunFilter filter)
        {
            var before = times;
            var counts = await kept.OfAsync(of, filter, () => new ValueTask<RunsCounted>(Made()));
            Assert.True(times == before || counts.IsPart);
        }

        RunsCounted Made()
        {
            times++;
            return new RunsCounted([], [], true);
        }
    }

    [Fact]
    public async Task No_number_of_filters_keeps_more_than_there_is_room_for_and_nothing_listens_for_what_is_gone()
    {
        var changes = new Postern.Storage.Changes();
        var kept = new KeptCounts(changes, TimeProvider.System);
        for (var i = 0; i < KeptCounts.Most * 3; i++)
        {
            var counted = new RunsCounted([], [], false);
            await kept.OfAsync("proj_" + i, All, () => new ValueTask<RunsCounted>(counted));
        }
        Assert.Equal(KeptCounts.Most, kept.Count);
        Assert.Equal(KeptCounts.Most, changes.Count);
        await Assert.ThrowsAsync<TimeoutException>(async () =>
            await kept.OfAsync("proj_faulty", All, () => throw new TimeoutException())
        );
        Assert.Equal(KeptCounts.Most, changes.Count);
    }
}
