using System.Diagnostics;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>A short piece of the simulation, so that it cannot rot; <c>make chaos</c> runs longer ones.</summary>
[Collection(nameof(Alone))]
public sealed class ChaosTests
{
    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task Under_faults_every_invariant_holds(string database)
    {
        var configuration = AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";
        var program = Repository.File($"test/Postern.Chaos/bin/{configuration}/net10.0/Postern.Chaos");
        using var chaos = Process.Start(new ProcessStartInfo(program, ["SEED=1", "MINUTES=0.33", "DATABASE=" + database])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, error) = (chaos.StandardOutput.ReadToEndAsync(), chaos.StandardError.ReadToEndAsync());
        await chaos.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(4));
        Assert.True(chaos.ExitCode == 0, await output + await error);
        Assert.Contains(" 0 lost, 0 twice, 0 invariants broken", await output, StringComparison.Ordinal);
    }
}
