namespace Postern.Storage;

/// <summary>The room that a database takes on its disk.</summary>
/// <param name="Bytes">Its size; null: not known.</param>
/// <param name="FreeBytes">What is left on the disk; null: it is another machine's.</param>
internal sealed record StorageRoom(long? Bytes, long? FreeBytes);
