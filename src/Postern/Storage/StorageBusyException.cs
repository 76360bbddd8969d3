namespace Postern.Storage;

/// <summary>
/// The database is well, but what this command needs is held by others, for longer than it may wait: nothing was
/// written, and commands that need something else are not concerned.
/// </summary>
internal sealed class StorageBusyException(string message, Exception? inner = null)
    : StorageUnavailableException(message, inner)
{
    public override string Told =>
        "Others hold what this request needs, or are before it. Nothing was written; try again.";
}
