namespace Postern.Storage;

/// <summary>
/// The commit was sent, and its outcome was not heard: the command is stored as a whole, or not at all. A repeat under
/// the same id finds the first outcome; one without an id may do everything twice.
/// </summary>
internal sealed class StorageOutcomeUnknownException(string message, Exception? inner = null)
    : StorageUnavailableException(message, inner)
{
    public override string Told =>
        "The server lost its database while it stored this: it may be stored, or not. Look before it is sent again.";

    /// <summary>What a client is told whose request carries an id, or says the whole of what is to be.</summary>
    public const string ToldToRepeat =
        "The server lost its database while it stored this: it may be stored, or not. "
        + "Send the same request under the same id again: it is stored once.";
}
