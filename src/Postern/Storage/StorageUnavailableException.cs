namespace Postern.Storage;

/// <summary>
/// The database cannot serve now: nothing was written. The caller answers 503 and the client may try again.
/// </summary>
internal class StorageUnavailableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What a client is told.</summary>
    public virtual string Told => "The server cannot reach its database now. Nothing was written; try again.";
}
