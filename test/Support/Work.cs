namespace Postern.Support;

/// <summary>
/// What one command or query did: rows that came from the database, bytes that went to it, and how long it took inside.
/// </summary>
internal sealed record Work(bool Writes, int Rows, long Bytes, TimeSpan Took);
