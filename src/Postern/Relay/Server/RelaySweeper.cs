using Postern.Access;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>Ends envelopes whose time is over, and removes rows that were kept long enough.</summary>
internal sealed class RelaySweeper(
    Database database,
    PlaneStores stores,
    PageStore pages,
    Projects projects,
    PosternOptions options,
    TimeProvider clock,
    ILogger<RelaySweeper> log
) : PollingLoop(clock, log)
{
    private const long Day = 86_400_000_000;
    private const long MeasureEvery = 10_000_000;
    private long _measuredAt;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // This runs before the first plane can connect.
        await stores.Connections.ForgetOfBeforeAsync();
        await base.StartAsync(cancellationToken);
    }

    protected override async Task PollAsync(CancellationToken stop)
    {
        await ExpireAllAsync(stop);
        await MeasureAsync();
    }

    protected override async Task SweepAsync(CancellationToken stop)
    {
        var now = database.Now;
        var kept = now - (options.RelayServer.RetentionHours * 3_600_000_000L);
        await OneAsync("relay_request", () => RemoveAsync("relay_request", "plane, seq", "ended_at", kept, stop));
        await OneAsync("relay_nonce", () => RemoveAsync("relay_nonce", "plane, nonce", "until", now, stop));
        await OneAsync("relay_network", () => RemoveAsync("relay_network", "plane, network", "until", now, stop));
        await OneAsync("relay_page", () => pages.SweepAsync(stop));
        await OneAsync("relay_code", () => RemoveAsync("relay_code", "code", "until", now - (30 * Day), stop));
        var dead = now - Day;
        await OneAsync(
            "relay_connection",
            () => RemoveAsync("relay_connection", "plane, connection", "seen_at", dead, stop)
        );
    }

    /// <summary>Measures what waits, for metrics. When nobody reads them, the database is not asked.</summary>
    private async Task MeasureAsync()
    {
        if (!RelayMeter.IsRead || database.Now - _measuredAt < MeasureEvery)
            return;
        _measuredAt = database.Now;
        var (planes, count, bytes) = await stores.Planes.BacklogAsync();
        var oldest = count == 0 ? null : await stores.Envelopes.OldestOfAllAsync();
        RelayMeter.Measured(new RelayMeasure(planes, count, bytes, oldest is { } at ? (database.Now - at) / 1e6 : 0));
    }

    /// <summary>Each plane once in a poll, so that one with a fault does not delay the others.</summary>
    private async Task ExpireAllAsync(CancellationToken stop)
    {
        var passed = new HashSet<string>(StringComparer.Ordinal);
        while (!stop.IsCancellationRequested)
        {
            var due = await stores.Envelopes.OverdueAsync([.. passed], Page);
            if (due.Count == 0)
                return;
            await Task.WhenAll(due.Select(plane => OneAsync(plane, () => ExpireAsync(plane, stop))));
            passed.UnionWith(due);
        }
    }

    private async Task ExpireAsync(string plane, CancellationToken stop)
    {
        var all = 0;
        int ended;
        do
        {
            ended = await stores.Envelopes.EndAsync(
                plane,
                EnvelopeState.Expired,
                database.Now,
                long.MaxValue,
                EnvelopeStore.Batch
            );
            all += ended;
        } while (ended == EnvelopeStore.Batch && !stop.IsCancellationRequested);
        if (all == 0)
            return;
        var row = new AuditRow(
            await projects.DefaultAsync() ?? Audit.NoProject,
            "relay.expired",
            Actor: plane,
            Reason: $"{all} envelopes"
        );
        await database.WriteAsync(async tx =>
        {
            Audit.Write(tx, row);
            return 0;
        });
    }

    private Task RemoveAsync(string table, string key, string time, long before, CancellationToken stop) =>
        OldRows.RemoveAsync(database, table, key, time, before, stop);
}
