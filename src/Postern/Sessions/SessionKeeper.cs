using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Enforces every deadline of a conversation, each within about a second: turns that their agent does not end, idle windows,
/// sessions that expire, messages whose agent is missing; and the retention of ended sessions. It finds by an
/// index and decides under the session's lock, so any number of nodes may do it at once and one does.
/// </summary>
internal sealed class SessionKeeper(Database database, SessionStore sessions, RunStore runs, RunMachine machine, Conversation conversation, PosternOptions options, TimeProvider clock, ILogger<SessionKeeper> log) : PeriodicLook(clock, log)
{
    private const int Batch = 100;

    protected override async Task LookAsync(CancellationToken stop)
    {
        foreach (var name in await sessions.OverdueAsync(Overdue.Turn, Batch)) await OneAsync(name.Id, () => WithLockAsync(name, BreakTurnAsync));
        foreach (var name in await sessions.OverdueAsync(Overdue.Expiry, Batch)) await OneAsync(name.Id, () => WithLockAsync(name, async (tx, s) => s.IsExpired(tx.Now) && await conversation.ExpireAsync(tx, s)));
        foreach (var name in await sessions.OverdueAsync(Overdue.WantedRun, Batch)) await OneAsync(name.Id, () => WithLockAsync(name, StartWantedAsync));
        foreach (var run in await runs.IdleOverdueAsync(Batch)) await OneAsync(run.Id, () => EndIdleAsync(run));
    }

    private async ValueTask<bool> BreakTurnAsync(Tx tx, Session session)
    {
        if (session.TurnDeadline is not { } deadline || deadline > tx.Now) return false;
        await conversation.BreakTurnAsync(tx, session, "The agent did not finish its turn in time.", Phase.TimedOut);
        return true;
    }

    private async ValueTask<bool> StartWantedAsync(Tx tx, Session session)
    {
        if (session.RunWantedUntil is not { } until) return false;
        if (session.CurrentRun is null && await conversation.StartRunAsync(tx, session, null, bootMessage: false) is not null) return true;
        if (session.CurrentRun is null && until > tx.Now) return false;
        await tx.ExecuteAsync("UPDATE session SET run_wanted_until = NULL WHERE project = $1 AND id = $2", session.Project, session.Id);
        if (session.CurrentRun is null) await conversation.BreakTurnAsync(tx, session, $"The agent {session.Agent} is not registered: nobody answers.", Phase.Failed);
        return true;
    }

    private Task<bool> EndIdleAsync(Run run) =>
        database.WriteAsync(async tx =>
        {
            if (run.Session is not null && await SessionStore.LockAsync(tx, run.Project, run.Session) is { CurrentRun: { } current } && current == run.Id)
            {
                if (!await RunStore.IsIdleOverdueAsync(tx, run)) return false;
                await tx.ExecuteAsync("UPDATE session SET current_run = NULL WHERE project = $1 AND id = $2", run.Project, run.Session);
                tx.Touch(run.Session);
            }
            return await machine.EndAsync(tx, run.Project, run.Id, Phase.Succeeded, null) is not null;
        });

    private Task<bool> WithLockAsync(SessionName name, Func<Tx, Session, ValueTask<bool>> act) =>
        database.WriteAsync(async tx => await SessionStore.LockAsync(tx, name.Project, name.Id) is { } session && await act(tx, session));

    /// <summary>Retention, in small batches: ended sessions with all that is theirs, audit rows, spent tokens.</summary>
    protected override async Task SweepAsync(CancellationToken stop)
    {
        if (options.Retention.ClosedSessionDays > 0)
        {
            var before = database.Now - (options.Retention.ClosedSessionDays * 86_400_000_000L);
            foreach (var name in await sessions.EndedBeforeAsync(before, Batch))
            {
                await database.WriteAsync(tx => SessionStore.DeleteAsync(tx, name));
                sessions.Forget(name);
            }
        }
        var auditBefore = database.Now - (options.Retention.AuditDays * 86_400_000_000L);
        await database.WriteAsync(async tx =>
            await tx.ExecuteAsync("DELETE FROM audit WHERE (project, id) IN (SELECT project, id FROM audit WHERE at < $1 LIMIT 1000)", auditBefore)
            + await tx.ExecuteAsync("DELETE FROM used_token WHERE (project, digest) IN (SELECT project, digest FROM used_token WHERE until < $1 LIMIT 1000)", tx.Now)
            + await tx.ExecuteAsync("DELETE FROM revocation WHERE (project, kind, value) IN (SELECT project, kind, value FROM revocation WHERE until < $1 LIMIT 1000)", tx.Now));
    }
}
