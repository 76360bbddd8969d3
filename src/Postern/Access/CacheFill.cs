namespace Postern.Access;

/// <summary>
/// Fills a cache with rows from the database while changes are applied at the same time. A row that was read before a
/// change and stored after it would stay outdated for ever. So a row that is stored during a change is read again.
/// </summary>
internal sealed class CacheFill
{
    private long _changes;

    /// <summary>Changes are about to be applied. Called before the cached rows are checked.</summary>
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
