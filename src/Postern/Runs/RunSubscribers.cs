using Postern.Deliveries;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>Emits the events about runs, in the transaction of the change.</summary>
internal sealed class RunSubscribers(Outbox outbox)
{
    public ValueTask CreatedAsync(Tx tx, RunCreated change) => EmitAsync(tx, change.Run, EventType.RunCreated);

    public async ValueTask MovedAsync(Tx tx, RunMoved change)
    {
        var run = change.After;
        if (!change.ChangesPhase)
            return;
        if (run.Phase is Phase.Waiting)
            await EmitAsync(tx, run, EventType.RunWaiting);
        else if (change.BeginsAttempt)
            return;
        else if (run.IsEnded)
            await EmitAsync(tx, run, EventType.OfRun(run.Phase));
        else if (run.Phase == Phase.Running && change.Before.StartedAt is null)
            await EmitAsync(tx, run, EventType.RunStarted);
    }

    private ValueTask EmitAsync(Tx tx, Run run, EventType type) =>
        outbox.EmitAsync(
            tx,
            run.Project,
            type,
            run.Id,
            json =>
            {
                json.WriteString("runId", run.Id);
                json.WriteString("agent", run.Agent);
                json.WriteString("workflow", run.Workflow);
                json.WriteString("status", run.Status);
                json.WriteString("phase", run.Phase);
                json.WriteNumber("attempt", run.Attempt);
                json.WriteString("sessionId", run.Session);
                if (run.Reason is not null)
                    json.WriteString("reason", run.Reason);
                if (run.FailureCode is not null)
                    json.WriteString("failureCode", run.FailureCode);
            }
        );
}
