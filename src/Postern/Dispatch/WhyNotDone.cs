using System.Text;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Dispatch;

/// <summary>
/// Explains why runs and captures have not ended. It only reads: for one, a few rows by key; for a list, a few
/// statements whatever its length.
/// </summary>
internal sealed class WhyNotDone(DeliveryWorker worker)
{
    /// <summary>
    /// A worker that fetches work asks at least every 55 seconds. After so long without a request there is no worker.
    /// </summary>
    public const long WithoutWorker = 3 * 60 * 1_000_000L;

    /// <summary>Returns the explanation, or null when the run has ended.</summary>
    public async ValueTask<Why?> OfAsync(Tx tx, Run run) => (await OfAllAsync(tx, [run])).GetValueOrDefault(run.Id);

    /// <summary>Returns the explanations for the unfinished ones of some runs of one project, by their ids.</summary>
    public async ValueTask<IReadOnlyDictionary<string, Why>> OfAllAsync(Tx tx, IReadOnlyList<Run> runs)
    {
        var whys = new Dictionary<string, Why>(StringComparer.Ordinal);
        var live = runs.Where(r => !r.IsEnded).ToList();
        if (live.Count == 0)
            return whys;
        var facts = await RunFacts.ReadAsync(tx, live);
        foreach (var run in live)
            whys[run.Id] = await OfAsync(tx, run, facts);
        return whys;
    }

    /// <summary>
    /// Returns the explanations for the unfinished ones of some captures of one project, by their ids.
    /// </summary>
    public async ValueTask<IReadOnlyDictionary<string, Why>> OfCapturesAsync(Tx tx, IReadOnlyList<Capture> captures)
    {
        var whys = new Dictionary<string, Why>(StringComparer.Ordinal);
        var live = captures.Where(c => !c.IsOver && c.Session is not null).ToList();
        if (live.Count == 0)
            return whys;
        var project = live[0].Project;
        var turns = await SessionQueries.TurnsAsync(tx, project, [.. live.Select(c => c.Session!).Distinct()]);
        var runs = await RunQueries.FindAllAsync(tx, project, [.. live.Select(c => c.Run).OfType<string>().Distinct()]);
        var ofRuns = await OfAllAsync(tx, runs);
        foreach (var capture in live)
            if (OfCapture(capture, turns.GetValueOrDefault(capture.Session!), ofRuns) is { } why)
                whys[capture.Id] = why;
        return whys;
    }

    private static Why? OfCapture(Capture capture, SessionTurn? turn, IReadOnlyDictionary<string, Why> ofRuns)
    {
        if (turn is { Run: null, RunWantedUntil: { } wanted })
            return Make(
                Why.NoAgent,
                $"The agent {turn.Agent} is not registered; the request waits for it, and then fails",
                capture.At,
                WhyNext.End,
                wanted
            );
        if (turn is { Run: { } ahead, TurnDeadline: { } deadline } && capture.InSeq > turn.TurnInSeq)
            return Make(
                Why.BehindRun,
                $"It waits for {ahead} of its session, which is at an earlier request",
                capture.At,
                WhyNext.End,
                deadline
            );
        return capture.Run is { } run ? ofRuns.GetValueOrDefault(run) : null;
    }

    private async ValueTask<Why> OfAsync(Tx tx, Run run, RunFacts facts)
    {
        if (run.Approval is not null)
            return await ApprovalAsync(tx, run);
        if (run.Phase == Phase.Paused)
            return await PausedAsync(tx, run);
        if (run is { WaitsAt: { } waits, Phase: not Phase.Waiting })
            return Full(run, waits, facts);
        if (run is { ClaimAt: { } claimable, ClaimUntil: null })
            return Worker(tx, run, claimable, facts);
        if (facts.Dispatches.TryGetValue(run.Id, out var dispatch))
            return Dispatch(run, dispatch.Delivery, dispatch.Last);
        if (facts.IdleUntil.TryGetValue(run.Id, out var idle))
            return Make(
                Why.AwaitingMessage,
                $"{run.Agent} has answered; the run waits for the next message of its session",
                run.UpdatedAt,
                WhyNext.End,
                idle
            );
        return OfWork(run, facts);
    }

    /// <summary>Only the agent's own work is missing.</summary>
    private static Why OfWork(Run run, RunFacts facts)
    {
        if (run.DueAt is not null)
            return Make(
                Why.AwaitingWorker,
                $"{run.Agent} is given the run in its turn",
                run.DueAt.Value,
                WhyNext.End,
                run.DeadlineAt
            );
        return run is { Phase: Phase.Queued, Dispatched: false, Session: null }
            ? Make(
                Why.NotStarted,
                "The run was made without being started; POST …/start starts it",
                run.CreatedAt,
                WhyNext.End,
                run.DeadlineAt
            )
            : Report(run, facts);
    }

    private static Why Report(Run run, RunFacts facts)
    {
        var (heard, end) = (run.UpdatedAt, Math.Min(run.ClaimUntil ?? long.MaxValue, run.DeadlineAt));
        // In a turn, each record of its agent is a sign of life and moves the deadline.
        if (
            run.Session is { } session
            && facts.Turns.GetValueOrDefault(session) is { TurnDeadline: { } deadline } turn
            && turn.Run == run.Id
        )
        {
            heard = Math.Max(heard, deadline - (turn.TurnSeconds * RunDeadlines.Second));
            end = Math.Min(end, deadline);
        }
        return Make(
            Why.AwaitingReport,
            $"{run.Agent} has the run (attempt {run.Attempt}); it was last heard of at {Wire.Iso(heard)}",
            heard,
            WhyNext.End,
            end
        );
    }

    private static async ValueTask<Why> ApprovalAsync(Tx tx, Run run)
    {
        var asked = await RunEvents.NewestOfAsync(tx, run.Project, run.Id, "approval_requested");
        return Make(
            Why.AwaitingApproval,
            $"{run.Reason?.TrimEnd('.') ?? "It waits for an approval"} ({run.Approval})",
            asked?.At ?? run.UpdatedAt,
            WhyNext.Expire,
            run.ApprovalUntil ?? run.DeadlineAt
        );
    }

    private static async ValueTask<Why> PausedAsync(Tx tx, Run run)
    {
        var paused = await RunEvents.NewestOfAsync(tx, run.Project, run.Id, "paused");
        return Make(
            Why.Paused,
            $"The run was paused{(paused is null ? "" : " by " + paused.By.Id)}; POST …/resume lets it go on",
            paused?.At ?? run.UpdatedAt,
            WhyNext.End,
            run.DeadlineAt
        );
    }

    private static Why Full(Run run, long since, RunFacts facts)
    {
        var places = facts.Agents.GetValueOrDefault(run.Agent)?.Settings.Concurrency;
        return Make(
            Why.AgentFull,
            places switch
            {
                null => $"The run waits for a place at {run.Agent}",
                1 => $"The one place of {run.Agent} is taken",
                _ => $"All {places} places of {run.Agent} are taken",
            },
            since,
            WhyNext.End,
            run.DeadlineAt
        );
    }

    private static Why Worker(Tx tx, Run run, long since, RunFacts facts)
    {
        var asked = facts.Asked.GetValueOrDefault(run.Agent);
        var isThere = asked is { } at && tx.Now - at < WithoutWorker;
        return Make(
            isThere ? Why.AwaitingWorker : Why.NoWorker,
            isThere ? $"A worker of {run.Agent} takes the run in its turn"
                : asked is { } last ? $"No worker of {run.Agent} has asked for work since {Wire.Iso(last)}"
                : $"No worker of {run.Agent} has ever asked for work",
            since,
            WhyNext.End,
            run.DeadlineAt
        );
    }

    private Why Dispatch(Run run, Delivery delivery, Attempt? last)
    {
        var paused = worker.PausedUntil(delivery.Project, delivery.Endpoint);
        var due = delivery.DueAt ?? delivery.GiveUpAt;
        var next = paused is { } until ? Math.Max(until, due) : due;
        if (last is not null)
            return Make(
                Why.DispatchRetry,
                $"{run.Agent} {DeliveryWhy.Said(last)}; tried {DeliveryWhy.Times(delivery)}, given up at "
                    + Wire.Iso(delivery.GiveUpAt),
                delivery.CreatedAt,
                WhyNext.Try,
                next
            );
        return paused is null
            ? Make(Why.AwaitingWorker, $"{run.Agent} is about to be called", delivery.CreatedAt, WhyNext.Try, next)
            : Make(
                Why.DispatchPaused,
                $"Calls to {run.Agent} failed one after another: it is not called until {Wire.Iso(paused.Value)}",
                delivery.CreatedAt,
                WhyNext.Try,
                next
            );
    }

    private static Why Make(string code, string text, long since, string what, long at) =>
        new(code, text + ".", Wire.Iso(since), new WhyNext(what, Wire.Iso(at)));
}
