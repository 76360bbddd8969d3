namespace Postern.Storage;

/// <summary>
/// The database works, but others held what this command needs for longer than it may wait. Nothing was written.
/// Commands that need something else are not affected.
/// </summary>
internal sealed class StorageBusyException(string message, Exception? inner = null)
    : StorageUnavailableException(message, inner)
{
    public override string PublicMessage =>
        "Others hold what this request needs, or are before it. Nothing was written; try again.";
}
