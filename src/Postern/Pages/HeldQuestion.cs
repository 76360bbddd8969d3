using System.Text.Json;
using Postern.Approvals;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;
using Asker = Postern.Approvals.Asker;

namespace Postern.Pages;

/// <summary>
/// A real question of a run that the console holds. The run is made and set running, but no agent ever gets it. So a
/// decision can be tried, and nothing is done because of it. Without a decision, the run ends at its deadline.
/// </summary>
internal sealed class HeldQuestion(
    RunCreation creation,
    RunMachine machine,
    ApprovalRequests requests,
    ApprovalStore approvals,
    Database database
)
{
    /// <summary>The time limit of such a run. A question stops its clock.</summary>
    private const int DeadlineSeconds = 900;

    /// <summary>Asks a question with a new run, and returns it.</summary>
    /// <param name="context">Who asks.</param>
    /// <param name="agent">Whose run it is said to be.</param>
    /// <param name="question">As the API takes it.</param>
    public async Task<Checked<Approval>> AskAsync(PageContext context, string agent, object question)
    {
        var (http, caller) = (context.Http, context.Caller);
        var asking = new Fields(JsonSerializer.SerializeToElement(question, Wire.Json));
        if (!(await requests.ReadAsync(asking, http)).Try(out var read, out var wrong))
            return wrong;
        var starting = new Fields(
            JsonSerializer.SerializeToElement(
                new
                {
                    agent,
                    start = false,
                    tags = new[] { "console" },
                    deadlineSeconds = DeadlineSeconds,
                },
                Wire.Json
            )
        );
        if (!(await creation.CheckAsync(starting.Read<CreateRun>(), starting, http)).Try(out var start, out var unfit))
            return unfit;
        caller.EnsureStillAllowed();
        if (!(await creation.CreateAsync(caller, start)).Try(out var made, out var refused))
            return refused;
        await database.WriteAsync(async tx =>
            await HeldRun.LockAsync(tx, caller.Project, made.Id) is { Phase: Phase.Queued } run
                ? await machine.MoveAsync(tx, run, new Change("taken_on", context.Actor, Phase.Running))
                : null
        );
        var asker = new Asker(Asker.Console, caller.Authority.Actor, null);
        return await requests.AskAsync(caller.Project, made.Id, null, read, asker) switch
        {
            AskOutcome.Asked asked => asked.Approval,
            AskOutcome.Unfit unfitted => Refusal.BadRequest($"{unfitted.Field} {unfitted.Problem}.", "invalid_form"),
            _ => new Refusal(409, "Its run moved on before it could ask: ask once more.", "moved_on"),
        };
    }

    /// <summary>Finds a question that was asked in this way; null when there is none.</summary>
    public async ValueTask<Approval?> FindAsync(string project, string id) =>
        await approvals.FindWholeAsync(project, id) is { AskedWith: Asker.Console } asked ? asked : null;
}
