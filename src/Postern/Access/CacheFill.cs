namespace Postern.Access;

/// <summary>
/// Fills a cache with what is read from the database, while changes are taken over beside it. What was read before a
/// change, and kept after it was taken over, would stay for ever: so whatever is kept while something changed is read
/// once more.
/// </summary>
internal sealed class CacheFill
{
    private long _changes;

    /// <summary>Changes are about to be taken over: called before what is kept already is looked through.</summary>
    public void Changed() => Interlocked.Increment(ref _changes);

    /// <param name="read">Reads what is to be kept.</param>
    /// <param name="keep">Keeps it; may be called again with what is newer.</param>
    public async ValueTask<TKept> FillAsync<TRead, TKept>(Func<ValueTask<TRead>> read, Func<TRead, TKept> keep)
    {
        while (true)
        {
            var before = Interlocked.Read(ref _changes);
            var kept = keep(await read());
            if (Interlocked.Read(ref _changes) == before)
                return kept;
        }
    }
}
