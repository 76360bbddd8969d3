namespace Postern.Storage;

/// <summary>What a database takes of its disk.</summary>
/// <param name="Bytes">Its size; null: not known.</param>
/// <param name="FreeBytes">What is left on the disk; null: it is another machine's.</param>
internal sealed record StorageRoom(long? Bytes, long? FreeBytes);
