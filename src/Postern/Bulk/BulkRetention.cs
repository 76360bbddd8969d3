using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Removes jobs 30 days after their end, and previews that nobody started.</summary>
internal sealed class BulkRetention(
    Database database,
    BulkStore store,
    BulkPreviews previews,
    TimeProvider clock,
    ILogger<BulkRetention> log
) : PollingLoop(clock, log)
{
    /// <summary>30 days, in microseconds.</summary>
    private const long KeptFor = 30L * 86_400_000_000;

    protected override async Task SweepAsync(CancellationToken stop)
    {
        await OneAsync("bulk_preview", () => previews.RemoveOldAsync(stop));
        await OneAsync("bulk_job", () => RemoveJobsAsync(stop));
    }

    private async Task RemoveJobsAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && await store.RemoveOneAsync(database.Now - KeptFor)) { }
    }
}
