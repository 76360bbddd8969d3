using System.Collections.Concurrent;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Enforces every deadline of a conversation, each within about a second: turns that their agent does not end, idle
/// windows, sessions that expire, messages whose agent is missing; and the retention of ended sessions. It finds by an
/// index and decides under the session's lock, so any number of nodes may do it at once and one does. However many are
/// due at once, a look goes on until none is left.
///
/// A session that cannot be settled keeps no other waiting: after <see cref="MaxFailures"/> tries its turn is ended
/// without its text, and the message says so; what cannot even be ended so is put off.
/// </summary>
internal sealed class SessionKeeper(
    Database database,
    SessionStore sessions,
    TurnAssemblers folds,
    RunStore runs,
    RunMachine machine,
    Conversation conversation,
    PosternOptions options,
    TimeProvider clock,
    ILogger<SessionKeeper> log
) : PollingLoop(clock, log)
{
    private const int SweepBatch = 1000;
    private const int MaxFailures = 3;

    /// <summary>Sessions whose failures are remembered; what is forgotten is tried as often again.</summary>
    private const int MaxRemembered = 10_000;
    private const long PutOff = 600_000_000;
    private readonly ConcurrentDictionary<SessionRef, int> _failures = new();

    protected override async Task PollAsync(CancellationToken stop)
    {
        await AllAsync(
            limit => sessions.OverdueAsync(Overdue.Turn, limit),
            name => name.Id,
            name => SettleAsync(name, BreakTurnAsync),
            stop
        );
        await AllAsync(
            limit => sessions.OverdueAsync(Overdue.Expiry, limit),
            name => name.Id,
            name => SettleAsync(name, ExpireAsync),
            stop
        );
        // A message may wait for minutes for its agent: each look looks at it again, and at those behind it.
        await AllAsync(
            limit => sessions.OverdueAsync(Overdue.WantedRun, limit),
            name => name.Id,
            name => SettleAsync(name, StartWantedAsync),
            stop
        );
        await AllAsync(runs.IdleOverdueAsync, run => run.Id, EndIdleAsync, stop);
    }

    private async Task<bool> SettleAsync(SessionRef name, Func<Tx, Session, bool, ValueTask<bool>> act)
    {
        var failures = _failures.GetValueOrDefault(name);
        if (failures > MaxFailures)
        {
            // Not even without its records: it is looked at again later, and others are not kept waiting.
            _failures.TryRemove(name, out _);
            return await OneAsync(name.Id, () => PutOffAsync(name));
        }
        var tried = false;
        var done = await OneAsync(
            name.Id,
            async () =>
            {
                tried = true;
                var did = await WithLockAsync(name, (tx, session) => act(tx, session, failures == MaxFailures));
                tried = false;
                return did;
            }
        );
        if (!tried)
            _failures.TryRemove(name, out _);
        else if (_failures.Count < MaxRemembered || failures > 0)
            _failures[name] = failures + 1;
        return done;
    }

    private async ValueTask<bool> BreakTurnAsync(Tx tx, Session session, bool withoutRecords)
    {
        if (session.TurnDeadline is not { } deadline || deadline > tx.Now)
            return false;
        const string late = "The agent did not finish its turn in time.";
        const string broken = " What it had said could not be put together; it is in the records of the channel alone.";
        var why = withoutRecords ? late + broken : late;
        await conversation.BreakTurnAsync(tx, session, why, Phase.TimedOut, withoutRecords: withoutRecords);
        return true;
    }

    private async ValueTask<bool> ExpireAsync(Tx tx, Session session, bool withoutRecords) =>
        session.IsExpired(tx.Now) && await conversation.ExpireAsync(tx, session, withoutRecords);

    private async ValueTask<bool> StartWantedAsync(Tx tx, Session session, bool withoutRecords)
    {
        if (session.RunWantedUntil is not { } until)
            return false;
        if (
            session.CurrentRun is null
            && await conversation.StartRunAsync(tx, session, null, bootMessage: false) is not null
        )
            return true;
        if (session.CurrentRun is null && until > tx.Now)
            return false;
        await tx.ExecuteAsync(
            "UPDATE session SET run_wanted_until = NULL WHERE project = $1 AND id = $2",
            session.Project,
            session.Id
        );
        if (session.CurrentRun is null)
            await conversation.BreakTurnAsync(
                tx,
                session,
                $"The agent {session.Agent} is not registered: nobody answers.",
                Phase.Failed,
                withoutRecords: withoutRecords
            );
        return true;
    }

    private Task<bool> PutOffAsync(SessionRef name) =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                "UPDATE session SET turn_deadline = $4 WHERE project = $1 AND id = $2 AND turn_deadline <= $3",
                name.Project,
                name.Id,
                tx.Now,
                tx.Now + PutOff
            ) == 1
        );

    private Task<bool> EndIdleAsync(Run run) =>
        database.WriteAsync(async tx =>
            await HeldRun.LockAsync(tx, run.Project, run.Id) is { IsEnded: false }
            && await RunStore.IsIdleOverdueAsync(tx, run)
            && await machine.EndAsync(tx, run.Project, run.Id, Phase.Succeeded, null) is not null
        );

    private Task<bool> WithLockAsync(SessionRef name, Func<Tx, Session, ValueTask<bool>> act) =>
        database.WriteAsync(async tx =>
            await SessionStore.LockAsync(tx, name.Project, name.Id) is { } session && await act(tx, session)
        );

    /// <summary>
    /// Retention, in small batches, until nothing is left that has been kept long enough: ended sessions with all that
    /// is theirs, audit rows, spent tokens.
    /// </summary>
    protected override async Task SweepAsync(CancellationToken stop)
    {
        if (options.Retention.ClosedSessionDays > 0)
        {
            var before = database.Now - (options.Retention.ClosedSessionDays * 86_400_000_000L);
            foreach (var isClosed in (bool[])[true, false])
            {
                await AllAsync(
                    limit => sessions.EndedBeforeAsync(isClosed, before, limit),
                    name => name.Id,
                    name => DeleteAsync(name, stop),
                    stop
                );
            }
        }
        var auditBefore = database.Now - (options.Retention.AuditDays * 86_400_000_000L);
        // One that fails keeps no other waiting.
        await OneAsync("message_draft", folds.SweepAsync);
        await OneAsync("audit", () => SweepAsync("audit", "project, id", "at", auditBefore, stop));
        await OneAsync("used_token", () => SweepAsync("used_token", "project, digest", "until", database.Now, stop));
        var day = database.Now - 86_400_000_000L;
        await OneAsync("console_session", () => SweepAsync("console_session", "project, id", "until", day, stop));
        await OneAsync("console_once", () => SweepAsync("console_once", "project, session, once", "at", day, stop));
        await OneAsync(
            "console_link",
            () => SweepAsync("console_link", "project, digest", "until", database.Now, stop)
        );
        await OneAsync(
            "revocation",
            () => SweepAsync("revocation", "project, kind, value", "until", database.Now, stop)
        );
    }

    /// <summary>The rows of a table that are past a time, a batch a transaction: nobody waits for more.</summary>
    private async Task SweepAsync(string table, string key, string time, long before, CancellationToken stop)
    {
        var old = $"SELECT {key} FROM {table} WHERE {time} < $1 LIMIT {SweepBatch}";
        var sql = $"DELETE FROM {table} WHERE ({key}) IN ({old})";
        var deleted = SweepBatch;
        while (deleted == SweepBatch && !stop.IsCancellationRequested)
            deleted = await database.WriteAsync(tx => tx.ExecuteAsync(sql, before), stop);
    }

    /// <summary>The records first, some at a time, then the session: no transaction deletes a million rows.</summary>
    private async Task<bool> DeleteAsync(SessionRef name, CancellationToken stop)
    {
        foreach (var part in SessionStore.Parts)
        {
            var rows = SweepBatch;
            while (rows == SweepBatch && !stop.IsCancellationRequested)
                rows = await database.WriteAsync(tx => SessionStore.DeletePartAsync(tx, name, part, SweepBatch), stop);
        }
        var deleted = await database.WriteAsync(tx => sessions.DeleteAsync(tx, name), stop) == 1;
        sessions.Forget(name);
        return deleted;
    }
}
