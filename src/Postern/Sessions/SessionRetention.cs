using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Removes ended sessions that are too old, with everything that belongs to them, and drafts of long turns. It works in
/// small batches until nothing is left.
/// </summary>
internal sealed class SessionRetention(
    Database database,
    SessionStore sessions,
    RunStore runs,
    TurnAssemblers folds,
    PosternOptions options,
    TimeProvider clock,
    ILogger<SessionRetention> log
) : PollingLoop(clock, log)
{
    private const int SweepBatch = 1000;

    /// <summary>Up to a hundred sessions are removed side by side, each with so many commands.</summary>
    private const int RunsTogether = 10;

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
        // A failure with one session does not stop the others.
        await OneAsync("message_draft", folds.SweepAsync);
    }

    /// <summary>
    /// First the records and the runs in batches, then the session: no transaction deletes a million rows.
    /// </summary>
    private async Task<bool> DeleteAsync(SessionRef name, CancellationToken stop)
    {
        foreach (var part in SessionStore.Parts)
        {
            var rows = SweepBatch;
            while (rows == SweepBatch && !stop.IsCancellationRequested)
                rows = await database.WriteAsync(tx => SessionStore.DeletePartAsync(tx, name, part, SweepBatch), stop);
        }
        await DeleteRunsAsync(name, stop);
        var deleted = await database.WriteAsync(tx => sessions.DeleteAsync(tx, name), stop) == 1;
        sessions.Forget(name);
        return deleted;
    }

    /// <summary>Each run is deleted by itself; a few at a time, so that they share commits.</summary>
    private async Task DeleteRunsAsync(SessionRef name, CancellationToken stop)
    {
        var ended = await runs.EndedOfSessionAsync(name.Project, name.Id, RunsTogether);
        while (ended.Count > 0 && !stop.IsCancellationRequested)
        {
            await Task.WhenAll(
                ended.Select(run =>
                    database.WriteAsync(
                        async tx =>
                        {
                            await runs.DeleteAsync(tx, name.Project, run);
                            return true;
                        },
                        stop
                    )
                )
            );
            ended = await runs.EndedOfSessionAsync(name.Project, name.Id, RunsTogether);
        }
    }
}
