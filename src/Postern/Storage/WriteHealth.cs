namespace Postern.Storage;

/// <summary>
/// Whether the database accepts writes, by the outcome of the last ones. A full disk or a foreign lock is seen only by
/// writers, never by readers. While writes fail, the readiness check tries a write of its own, one at a time.
/// </summary>
internal sealed class WriteHealth
{
    private readonly Lock _gate = new();
    private Task<bool>? _trial;
    private volatile bool _failing;

    public void Succeeded() => _failing = false;

    public void Failed() => _failing = true;

    /// <summary>Returns true at once while writes succeed; otherwise the result of a trial write.</summary>
    public Task<bool> TakesWritesAsync(Database database)
    {
        if (!_failing)
            return Task.FromResult(true);
        lock (_gate)
            return _trial is { IsCompleted: false } running ? running : _trial = TryAsync(database);
    }

    private static async Task<bool> TryAsync(Database database)
    {
        // All callers share the trial, so none of them can cancel it.
        StorageUse.Begin(StorageUse.Vital);
        try
        {
            await database.WriteAsync(tx =>
                tx.ExecuteAsync(
                    """
                    INSERT INTO meta (name, number) VALUES ('write_trial', $1)
                    ON CONFLICT (name) DO UPDATE SET number = excluded.number
                    """,
                    tx.Now
                )
            );
            return true;
        }
        catch (StorageUnavailableException)
        {
            return false;
        }
    }
}
