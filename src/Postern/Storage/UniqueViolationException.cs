namespace Postern.Storage;

/// <summary>
/// Another transaction wrote a row under the same unique key in this moment; nothing of this one was written. SQLite,
/// which has one writer, never comes to it where the statement has looked first.
/// </summary>
internal sealed class UniqueViolationException(Exception inner) : Exception("The key is taken.", inner);
