using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// A log that can be followed. Its store is the truth, and is read again whenever the topic is announced.
/// </summary>
/// <param name="Key">One tail a key on this node.</param>
/// <param name="Topic">What commits announce.</param>
/// <param name="NextAsync">The number that the next entry will get.</param>
/// <param name="ReadAsync">The entries from a number on, rendered; bounded in count and bytes.</param>
/// <param name="Row">The row that every new entry changes.</param>
internal sealed record LogSource(
    string Key,
    string Topic,
    Func<ValueTask<long>> NextAsync,
    Func<long, ValueTask<Batch>> ReadAsync,
    WatchedRow? Row = null
);
