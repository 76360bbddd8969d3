namespace Postern.Storage;

/// <summary>Rows that another transaction has locked (perhaps another node removes them) are skipped.</summary>
internal static class OldRows
{
    private const int Batch = 1000;

    /// <summary>Removes the rows of a table that are older than a time, until none is left or it is stopped.</summary>
    /// <param name="database">Where they are.</param>
    /// <param name="table">The caller's own.</param>
    /// <param name="key">Its key's columns.</param>
    /// <param name="time">The column that says how old a row is, microseconds since 1970.</param>
    /// <param name="before">Rows with an earlier time are removed.</param>
    /// <param name="stop">Ends it between two batches.</param>
    public static async Task RemoveAsync(
        Database database,
        string table,
        string key,
        string time,
        long before,
        CancellationToken stop
    )
    {
        var deleted = Batch;
        while (deleted == Batch && !stop.IsCancellationRequested)
            deleted = await database.WriteAsync(
                tx =>
                    tx.ExecuteAsync(
                        $"""
                        DELETE FROM {table} WHERE ({key}) IN (
                          SELECT {key} FROM {table} WHERE {time} < $1 LIMIT {Batch}{tx.ForUpdateSkipLocked})
                        """,
                        before
                    ),
                stop
            );
    }
}
