namespace Postern.Storage;

/// <summary>
/// Whether the database takes writes, as the last ones found it: a full disk or a foreign lock is seen by those who
/// write, and by nobody who reads. While they fail, whoever asks has a write of its own tried, one at a time.
/// </summary>
internal sealed class WriteHealth
{
    private readonly Lock _gate = new();
    private Task<bool>? _trial;
    private volatile bool _failing;

    public void Succeeded() => _failing = false;

    public void Failed() => _failing = true;

    /// <summary>True at once while writes succeed; else what a trial finds.</summary>
    public Task<bool> TakesWritesAsync(Database database)
    {
        if (!_failing)
            return Task.FromResult(true);
        lock (_gate)
            return _trial is { IsCompleted: false } running ? running : _trial = TryAsync(database);
    }

    private static async Task<bool> TryAsync(Database database)
    {
        // Shared by all who ask: it ends with none of them.
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
