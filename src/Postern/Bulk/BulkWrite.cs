using Postern.Storage;

namespace Postern.Bulk;

/// <summary>An action that does what it does to one thing inside one transaction.</summary>
internal abstract class BulkWrite(Database database) : BulkAction
{
    public sealed override Task DoAsync(BulkItem item, Func<Tx, Skip?, ValueTask> note) =>
        database.WriteAsync(async tx =>
        {
            await note(tx, await DoAsync(tx, item));
            return 0;
        });

    /// <summary>Does it, where the filter still finds the thing. Returns why it was left as it is, or null.</summary>
    protected abstract ValueTask<Skip?> DoAsync(Tx tx, BulkItem item);
}
