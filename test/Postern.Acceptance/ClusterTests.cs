using System.Diagnostics;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Two nodes on PostgreSQL as an operator runs it: three members under Patroni with synchronous replication, etcd and
/// HAProxy, with the files of <c>packaging/cluster</c>. While clients of every kind use the server, machines of both
/// die and freeze, and the auditor of the simulation looks for what was lost, doubled, or waits for ever. <c>make
/// cluster</c> runs it; <c>make test</c> leaves it out, because it takes both cores for two minutes.
/// </summary>
[Trait("Cost", "high")]
public sealed class ClusterTests
{
    [Fact]
    public async Task Nothing_acknowledged_is_lost_and_everything_ends_when_primaries_and_nodes_die()
    {
        var program = AppContext.BaseDirectory.Replace("Postern.Acceptance", "Postern.Chaos", StringComparison.Ordinal);
        string[] arguments = ["SEED=1", "MINUTES=0.2", "DATABASE=patroni", "FAULTS=PrimaryKilled,Kill", "PAUSE=1000"];
        var start = new ProcessStartInfo("dotnet", [Path.Combine(program, "Postern.Chaos.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var simulation = Process.Start(start)!;
        var (output, error) = (simulation.StandardOutput.ReadToEndAsync(), simulation.StandardError.ReadToEndAsync());
        await simulation.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(8));
        var said = await output + await error;
        Assert.True(simulation.ExitCode == 0, said);
        Assert.Contains("1 PrimaryKilled", said, StringComparison.Ordinal);
        Assert.Contains("1 Kill", said, StringComparison.Ordinal);
        Assert.Contains(" 0 lost, 0 twice, 0 invariants broken", said, StringComparison.Ordinal);
    }
}
