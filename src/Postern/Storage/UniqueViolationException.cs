namespace Postern.Storage;

/// <summary>
/// Another transaction has just written a row with the same unique key. Nothing of this one was written. It cannot
/// happen on SQLite, which has one writer, when the command has checked before.
/// </summary>
internal sealed class UniqueViolationException(Exception inner) : Exception("The key is taken.", inner);
