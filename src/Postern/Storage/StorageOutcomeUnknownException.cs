namespace Postern.Storage;

/// <summary>
/// The commit was sent, but its outcome is not known: the command is stored as a whole, or not at all. A client that
/// repeats its request under the same id finds the first outcome; without an id, everything may be done twice.
/// </summary>
internal sealed class StorageOutcomeUnknownException(string message, Exception? inner = null)
    : StorageUnavailableException(message, inner)
{
    public override string PublicMessage =>
        "The server lost its database while it stored this: it may be stored, or not. Look before it is sent again.";

    /// <summary>The message for a client whose request has an id, or sets the whole state.</summary>
    public const string MessageToRepeat =
        "The server lost its database while it stored this: it may be stored, or not. "
        + "Send the same request under the same id again: it is stored once.";
}
