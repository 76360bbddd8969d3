namespace Postern.Storage;

/// <summary>
/// The database cannot be used now: nothing was written. The caller answers 503, and the client may try again.
/// </summary>
internal class StorageUnavailableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The message for a client.</summary>
    public virtual string PublicMessage => "The server cannot reach its database now. Nothing was written; try again.";
}
