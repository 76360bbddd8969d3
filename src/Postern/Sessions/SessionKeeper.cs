using System.Collections.Concurrent;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Enforces every deadline of a conversation, within about a second: turns that their agent does not end, idle timers,
/// expiring sessions, messages whose agent is missing. It finds sessions by an index and decides under the session's
/// lock, so any number of nodes may run it and only one acts. A poll goes on until nothing is due.
///
/// A session that cannot be settled does not hold up the others. After <see cref="MaxFailures"/> tries its turn is
/// ended without its text, and the message says so. When even that fails, the session is tried later.
/// </summary>
internal sealed class SessionKeeper(
    Database database,
    SessionStore sessions,
    RunStore runs,
    RunMachine machine,
    Conversation conversation,
    TimeProvider clock,
    ILogger<SessionKeeper> log
) : PollingLoop(clock, log)
{
    private const int MaxFailures = 3;

    /// <summary>The most sessions whose failures are remembered. A forgotten one is tried from the beginning.</summary>
    private const int MaxRemembered = 10_000;
    private const long PutOff = 600_000_000;
    private readonly ConcurrentDictionary<SessionRef, int> _failures = new();

    protected override async Task PollAsync(CancellationToken stop)
    {
        foreach (var what in await sessions.OverdueKindsAsync())
            await AllAsync(
                limit => sessions.OverdueAsync(what, limit),
                name => name.Id,
                name => SettleAsync(name, ActOn(what)),
                stop
            );
        await AllAsync(runs.IdleOverdueAsync, run => run.Id, EndIdleAsync, stop);
    }

    private Func<Tx, Session, bool, ValueTask<bool>> ActOn(Overdue what) =>
        what switch
        {
            Overdue.Turn => BreakTurnAsync,
            Overdue.Expiry => ExpireAsync,
            // A message may wait for its agent for minutes. Each poll reads it again, and those behind it.
            Overdue.WantedRun => StartWantedAsync,
            _ => throw new ArgumentOutOfRangeException(nameof(what)),
        };

    private async Task<bool> SettleAsync(SessionRef name, Func<Tx, Session, bool, ValueTask<bool>> act)
    {
        var failures = _failures.GetValueOrDefault(name);
        if (failures > MaxFailures && await PutOffAsync(name))
        {
            // Not even without its records: it is tried again later.
            _failures.TryRemove(name, out _);
            return true;
        }
        try
        {
            var did = await WithLockAsync(name, (tx, session) => act(tx, session, failures >= MaxFailures));
            _failures.TryRemove(name, out _);
            return did;
        }
        catch (Exception fault) when (fault is not StorageUnavailableException)
        {
            // The poll passes over it, logs it, and tries it less and less.
            if (_failures.Count < MaxRemembered || failures > 0)
                _failures[name] = failures + 1;
            throw;
        }
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
}
