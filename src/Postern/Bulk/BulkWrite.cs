using Postern.Storage;

namespace Postern.Bulk;

/// <summary>An action that handles one thing inside one transaction.</summary>
internal abstract class BulkWrite(Database database) : BulkAction
{
    public sealed override Task DoAsync(BulkItem item, Func<Tx, Skip?, ValueTask> note) =>
        database.WriteAsync(async tx =>
        {
            await note(tx, await DoAsync(tx, item));
            return 0;
        });

    /// <summary>Does it, if the filter still matches the thing. Returns why it was skipped, or null.</summary>
    protected abstract ValueTask<Skip?> DoAsync(Tx tx, BulkItem item);
}
