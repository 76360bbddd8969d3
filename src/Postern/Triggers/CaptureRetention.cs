using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Removes captures: of each trigger all but the newest, and of deleted triggers all. Names of deliveries are forgotten
/// when no provider repeats them any more.
/// </summary>
internal sealed class CaptureRetention(
    Database database,
    CaptureStore captures,
    RemovedTriggers removed,
    RelayedTriggers relayed,
    PosternOptions options,
    TimeProvider clock,
    ILogger<CaptureRetention> log
) : PollingLoop(clock, log)
{
    private const int Keys = 1000;

    protected override async Task SweepAsync(CancellationToken stop)
    {
        foreach (var (project, uid) in await TriggersAsync())
            await OneAsync(uid, () => captures.SweepAsync(project, uid, options.Retention.CapturesPerTrigger, stop));
        await OneAsync("removed_trigger", () => removed.RemoveCapturesAsync(stop));
        await OneAsync("capture_key", () => ForgetKeysAsync(stop));
    }

    private async Task ForgetKeysAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && await captures.ForgetKeysAsync(Keys, relayed.Longest) == Keys) { }
    }

    private ValueTask<List<(string Project, string Uid)>> TriggersAsync() =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT project, uid FROM agent_trigger WHERE last_at IS NOT NULL ORDER BY last_at DESC LIMIT 10000",
                r => (r.GetString(0), r.GetString(1))
            )
        );
}
