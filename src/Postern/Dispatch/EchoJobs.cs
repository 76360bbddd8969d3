using Postern.Runs;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>The built-in agent's work on runs without a session, in the transaction that hands them over.</summary>
internal sealed class EchoJobs(RunMachine machine, RunReports reports)
{
    /// <summary>
    /// A run without a session: its input becomes its output. It can only follow the built-in workflow.
    /// </summary>
    public async ValueTask DoAsync(Tx tx, HeldRun run)
    {
        if (run.WorkflowVersion != 0)
            return;
        var by = new Actor("agent", run.Agent);
        var running =
            run.Phase == Phase.Queued
                ? await machine.MoveAsync(tx, run, new Change("taken_on", by, Phase.Running))
                : run;
        var input = await RunData.FindAsync(tx, run.Project, run.Id, RunData.Input);
        await reports.TakeAsync(
            tx,
            run.Project,
            run.Id,
            new Report(Phase.Succeeded, by, running.Attempt)
            {
                Output = input?.Length <= RunReports.MaxOutput ? input : null,
            }
        );
    }
}
