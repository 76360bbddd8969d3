using System.Buffers;
using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Live;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// The routes for agents that fetch their work: claiming batches under a lease, and the heartbeat that renews it. Each
/// claim is an attempt. After its lease, a worker's token belongs to an earlier attempt.
/// </summary>
internal sealed class ClaimRoutes(
    AgentStore agents,
    AgentAsks asks,
    RunMachine machine,
    Turns turns,
    DispatchBody dispatch,
    Database database,
    LongPolls polls
)
{
    private const int MaxBody = 16 * 1024;
    private const int AgentSegment = 3;
    private const int RunSegment = 3;

    public void Map(Doors doors)
    {
        doors
            .Group("/api/v1/agents", ProblemFormat.Instance)
            .Post("/{slug}/claim", Credentials.Key, "write:tasks:{slug}", Claim)
            .WithSummary("Claim runs of a pull agent")
            .MayTake<ClaimRuns>()
            .Produces<ClaimedRuns>()
            .Produces(400, 401, 403, 404, 409);
        doors
            .Group("/api/v1/runs", ProblemFormat.Instance)
            .Post(
                "/{run}/heartbeat",
                Credentials.Key | Credentials.Token | Credentials.RunToken,
                "write:runs:{run}",
                Heartbeat
            )
            .ForReports()
            .WithSummary("Keep the lease on a claimed run")
            .MayTake<SendHeartbeat>()
            .Produces<HeartbeatView>()
            .Produces(400, 401, 403, 404, 409);
    }

    private async Task<IResult> Claim(HttpContext http, ProjectCaller caller)
    {
        var slug = RequestPath.Segment(http, AgentSegment) ?? "";
        if (!caller.Allows("write", "tasks", slug))
            return ProblemFormat.Instance.Forbidden($"write:tasks:{slug}");
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var (most, wait, lease) = fields.Read<ClaimRuns>();
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (await agents.FindAsync(caller.Project, slug) is not { } agent)
            return new Refusal(404, "There is no such agent.", "not_found");
        if (agent.Kind != Agent.Pull)
            return new Refusal(409, $"{slug} is an {agent.Kind} agent: its runs are given to it.", "not_pull");

        await asks.AskedAsync(agent);
        var offered = Topics.Claimable(caller.Project, slug);
        using var poll = polls.Begin(http, caller, offered, TimeSpan.FromSeconds(wait));
        while (true)
        {
            var claimed = await ClaimAsync(caller, agent, (int)most, lease);
            if (claimed.Count > 0 || poll.IsOver)
                return Reply.Bytes(200, await RenderAsync(claimed));
            await poll.UntilChangedAsync();
        }
    }

    private async Task<IResult> Heartbeat(HttpContext http, ProjectCaller caller)
    {
        if (RequestPath.Segment(http, RunSegment) is not { } id || !caller.Allows("write", "runs", id))
            return Unknown(caller);
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var said = fields.Read<SendHeartbeat>().Attempt;
        if (fields.Refusal() is { } wrong)
            return wrong;
        return await database.WriteAsync<IResult>(async tx =>
        {
            if (await HeldRun.LockAsync(tx, caller.Project, id) is not { } run)
                return Unknown(caller);
            if ((RunRoutes.AttemptOf(caller, id) ?? said) is { } attempt && attempt != run.Attempt)
                return NativeReport.Refused(new ReportOutcome.Stale(run.Attempt, attempt));
            if (run.IsEnded)
                return new Refusal(409, $"The run has ended as {run.Status}.", "run_ended")
                {
                    Extra = [("runStatus", run.Status)],
                };
            return Reply.Ok(await KeepAliveAsync(tx, run));
        });
    }

    /// <summary>The claim and the deadlines are counted from now.</summary>
    private static async ValueTask<HeartbeatView> KeepAliveAsync(Tx tx, HeldRun run)
    {
        var alive = run with
        {
            ClaimUntil = run.ClaimUntil is null ? null : tx.Now + (run.ClaimSeconds * 1_000_000),
            DeadlineAt = RunDeadlines.DeadlineOf(run, tx.Now),
        };
        await RunRow.SaveAsync(tx, alive);
        if (run.Session is not null && run.Phase == Phase.Running)
            await Turns.ExtendTurnAsync(tx, run, null);
        return new HeartbeatView(
            run.Id,
            run.Attempt,
            run.Status,
            run.Phase,
            Wire.Iso(alive.ClaimUntil),
            Wire.Iso(alive.DeadlineAt)
        );
    }

    /// <summary>
    /// Takes runs and then begins each: two transactions, so that session and run are locked in the usual order. After
    /// a crash between them nobody renews the lease, and the run becomes claimable again.
    /// </summary>
    private async Task<List<Run>> ClaimAsync(ProjectCaller caller, Agent agent, int most, long lease)
    {
        var by = new Actor(caller.Authority.Credential, caller.Authority.LoggedActor);
        if (!await database.ReadAsync(tx => RunStore.HasClaimableAsync(tx, agent.Project, agent.Slug)))
            return [];
        var begun = new List<Run>();
        foreach (
            var run in await database.WriteAsync(tx =>
                RunStore.TakeClaimableAsync(tx, agent.Project, agent.Slug, most, lease)
            )
        )
        {
            // Runs that were taken for a worker that has lost its right become claimable again, as after a crash.
            caller.EnsureStillAllowed();
            if (await database.WriteAsync(tx => BeginAsync(tx, run, agent, by)) is { } working)
                begun.Add(working);
        }
        return begun;
    }

    private async ValueTask<Run?> BeginAsync(Tx tx, Run claimed, Agent agent, Actor by)
    {
        if (claimed.Session is not null)
            return (await turns.BeginAsync(tx, claimed, agent, null))?.Run;
        if (
            await HeldRun.LockAsync(tx, claimed.Project, claimed.Id) is not { IsEnded: false } run
            || run.Attempt != claimed.Attempt
            || run.ClaimUntil is null
        )
            return null;
        if (run.WorkflowVersion == 0 && run.Phase == Phase.Queued)
            return await machine.MoveAsync(tx, run, new Change("claimed", by, Phase.Running));
        var next = run with { EventSeq = run.EventSeq + 1, UpdatedAt = tx.Now };
        await RunRow.SaveAsync(tx, next);
        RunEvents.Insert(
            tx,
            run.Project,
            run.Id,
            new RunEvent
            {
                Seq = next.EventSeq,
                Type = "claimed",
                At = tx.Now,
                Attempt = run.Attempt,
                By = by,
                From = run.Status,
                To = run.Status,
            }
        );
        return next;
    }

    private async Task<ReadOnlyMemory<byte>> RenderAsync(List<Run> claimed)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        json.WriteStartObject();
        json.WriteStartArray("data");
        foreach (var run in claimed)
        {
            var write = (await dispatch.MakeAsync(run)).Write;
            json.WriteStartObject();
            write(json);
            json.WriteNumber("leaseSeconds", run.ClaimSeconds);
            json.WriteString("leaseUntil", Wire.Iso(run.ClaimUntil));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static Refusal Unknown(ProjectCaller caller)
    {
        caller.DecidedByHandler();
        return new Refusal(404, "There is no such run.", "not_found");
    }
}
