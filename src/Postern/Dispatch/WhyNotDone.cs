using System.Text;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>Says of a run why it has not ended. Reads only; a few rows, each by its key.</summary>
internal static class WhyNotDone
{
    /// <summary>A worker that fetches its work asks at least once in 55 seconds; this long without is none.</summary>
    private const long WithoutWorker = 3 * 60 * 1_000_000L;

    private const int MostQuoted = 200;

    /// <summary>Returns null when the run has ended.</summary>
    public static async ValueTask<Why?> OfAsync(Tx tx, Run run)
    {
        if (run.IsEnded)
            return null;
        if (run.Approval is not null)
            return await ApprovalAsync(tx, run);
        if (run.Phase == Phase.Paused)
            return await PausedAsync(tx, run);
        if (run.WaitsAt is { } waits)
            return await FullAsync(tx, run, waits);
        if (run.ClaimAt is { } claimable && run.ClaimUntil is null)
            return await WorkerAsync(tx, run, claimable);
        if (await DeliveryStore.PendingAboutAsync(tx, run.Project, run.Id, AgentDispatch.PurposeName) is { } dispatch)
            return Dispatch(run, dispatch.Delivery, dispatch.Last);
        if (run.Session is not null && await RunDue.IdleUntilAsync(tx, run) is { } idle)
            return Make(
                Why.AwaitingMessage,
                $"{run.Agent} has answered; the run waits for the next message of its session",
                run.UpdatedAt,
                WhyNext.End,
                idle
            );
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
            : Make(
                Why.AwaitingReport,
                $"{run.Agent} has the run (attempt {run.Attempt}); it was last heard of at {Wire.Iso(run.UpdatedAt)}",
                run.UpdatedAt,
                WhyNext.End,
                run.ClaimUntil is { } lease ? Math.Min(lease, run.DeadlineAt) : run.DeadlineAt
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

    private static async ValueTask<Why> FullAsync(Tx tx, Run run, long since)
    {
        var places = (await AgentStore.FindAsync(tx, run.Project, run.Agent))?.Settings.Concurrency;
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

    private static async ValueTask<Why> WorkerAsync(Tx tx, Run run, long since)
    {
        var asked = await AgentAsks.LastAsync(tx, run.Project, run.Agent);
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

    private static Why Dispatch(Run run, Delivery delivery, Attempt? last)
    {
        var next = delivery.DueAt ?? delivery.GiveUpAt;
        if (last is null)
            return Make(
                Why.AwaitingWorker,
                $"{run.Agent} is about to be called",
                delivery.CreatedAt,
                WhyNext.Try,
                next
            );
        var times = delivery.Attempts == 1 ? "once" : $"{delivery.Attempts} times";
        return Make(
            Why.DispatchRetry,
            $"{run.Agent} {Said(last)}; tried {times}, given up at {Wire.Iso(delivery.GiveUpAt)}",
            delivery.CreatedAt,
            WhyNext.Try,
            next
        );
    }

    /// <summary>What the agent answered, in quotes: the first line or so.</summary>
    private static string Said(Attempt attempt)
    {
        if (attempt.Status is not { } status)
            return attempt.Words;
        var text = new StringBuilder();
        foreach (var rune in (attempt.Response ?? "").Trim().EnumerateRunes())
        {
            if (text.Length >= MostQuoted)
            {
                text.Append('…');
                break;
            }
            text.Append(Rune.IsControl(rune) || rune.Value == '"' ? " " : rune.ToString());
        }
        return text.Length == 0 ? $"answered {status}" : $"answered {status} \"{text}\"";
    }

    private static Why Make(string code, string text, long since, string what, long at) =>
        new(code, text + ".", Wire.Iso(since), new WhyNext(what, Wire.Iso(at)));
}
