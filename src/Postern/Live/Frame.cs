namespace Postern.Live;

/// <summary>
/// A piece of a log as it is sent: the entries from <see cref="Start"/> up to, but not including, <see cref="End"/>,
/// rendered once for all streams.
/// </summary>
/// <param name="Start">Number of the first entry.</param>
/// <param name="End">One past the last.</param>
/// <param name="Bytes">May be empty: the entries are of no interest to this kind of stream.</param>
/// <param name="Entry">The entry itself, where a stream renders it in a way of its own.</param>
internal sealed record Frame(long Start, long End, ReadOnlyMemory<byte> Bytes, object? Entry = null);
