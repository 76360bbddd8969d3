using System.Text.Json;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <content>What others are told of a run: events of its changes, and notices to its agent.</content>
internal sealed partial class RunMachine
{
    private const string SessionClosedNotice = "session.closed";

    /// <summary>Tells the agent that has a run what became of it, where it is one that is called.</summary>
    public async ValueTask NoticeAsync(Tx tx, Run run, string type)
    {
        if (await AgentStore.FindAsync(tx, run.Project, run.Agent) is not { Kind: Agent.Http } agent)
            return;
        var body = Outbox.Body(
            type,
            tx.Now,
            json =>
            {
                json.WriteStartObject("run");
                json.WriteString("id", run.Id);
                json.WriteNumber("attempt", run.Attempt);
                json.WriteString("status", run.Status);
                json.WriteString("reason", run.Reason);
                json.WriteEndObject();
                json.WriteString("sessionId", run.Session);
            }
        );
        // In order with the dispatch; but the end of a run does not wait behind what will never arrive.
        await outbox.EnqueueAsync(
            tx,
            new NewDelivery(
                run.Project,
                AgentNotices.PurposeName,
                Agent.EndpointKey(agent.Slug),
                run.Id,
                type,
                body,
                tx.Now + NoticeFor,
                Ordered: !run.IsEnded
            )
        );
    }

    private const long NoticeFor = 24L * 3600 * RunDeadlines.Second;

    /// <summary>Who hears of a new phase: subscribers, and at the end whoever asked to be called back.</summary>
    private async ValueTask TellAsync(Tx tx, Run before, Run run)
    {
        if (run.Phase is Phase.Waiting || run.IsEnded)
            await EmitAsync(tx, run, EventType.OfRun(run.Phase));
        else if (run.Phase == Phase.Running && before.StartedAt is null)
            await EmitAsync(tx, run, EventType.RunStarted);
        if (run is { IsEnded: true, CallbackUrl: not null })
            await callbacks.EnqueueAsync(tx, run);
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

    private static string Json<T>(T value) => JsonSerializer.Serialize(value, Wire.Json);
}
