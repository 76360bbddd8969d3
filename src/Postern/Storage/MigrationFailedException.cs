namespace Postern.Storage;

/// <summary>A change of the schema failed; the message says which, and what to do.</summary>
internal sealed class MigrationFailedException(string message, Exception inner) : Exception(message, inner);
