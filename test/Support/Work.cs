namespace Postern.Support;

/// <summary>The work of one command or query: rows from the database, bytes to it, and the time inside.</summary>
internal sealed record Work(bool Writes, int Rows, long Bytes, TimeSpan Took);
