using Postern.Storage;

namespace Postern.Runs;

/// <summary>Counts runs: how many are created, how they end, how long they wait and take.</summary>
internal static class RunTally
{
    public static void Created(Tx tx, Run run) => tx.Count(run.Project, Measure.RunsCreated);

    /// <summary>A run has changed.</summary>
    public static void Moved(Tx tx, Run before, Run after)
    {
        if (before.StartedAt is null && after.StartedAt is { } started)
            tx.Count(after.Project, Measure.RunQueued, Math.Max(0, started - after.AttemptAt));
        if (after.EndedAt is not { } ended || before.EndedAt is not null)
            return;
        tx.Count(
            after.Project,
            after.Phase switch
            {
                Phase.Succeeded => Measure.RunsSucceeded,
                Phase.Cancelled => Measure.RunsCancelled,
                Phase.TimedOut => Measure.RunsTimedOut,
                _ => Measure.RunsFailed,
            }
        );
        tx.Count(after.Project, Measure.RunLatency, Math.Max(0, ended - after.AttemptAt));
    }
}
