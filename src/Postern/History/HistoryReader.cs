using System.Collections.Concurrent;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.History;

/// <summary>
/// Reads pages of transcripts. A page depends on the session, the state of its transcript and the query. (A restored
/// database has other messages under the same numbers, but another state.) A page is rendered once and cached under
/// these, so a repeat costs one indexed read of the state. The cache is limited in bytes, including its own overhead
/// and the gzipped copies, and in number.
/// </summary>
internal sealed class HistoryReader(Transcript transcript)
{
    /// <summary>The most bytes of all pages together.</summary>
    public const long KeptBytes = 64 * 1024 * 1024;
    public const int KeptPages = 20_000;

    /// <summary>
    /// The memory of a page besides its bytes: key, query, entry, page and arrays, measured and rounded up.
    /// </summary>
    private const int EntryBytes = 1024;
    private readonly ConcurrentDictionary<PageKey, HistoryPage> _pages = new();
    private readonly Lock _keeping = new();
    private long _bytes;

    /// <summary>Returns how many pages are cached, and their counted bytes.</summary>
    public (int Pages, long Bytes) Kept => (_pages.Count, Interlocked.Read(ref _bytes));

    /// <summary>Returns the page, or null when the session is gone.</summary>
    public async ValueTask<HistoryPage?> ReadAsync(SessionRef name, HistoryQuery query)
    {
        if (await StateAsync(name) is not { } stand)
            return null;
        var key = new PageKey(name.Id, stand, query with { Deltas = false });
        if (_pages.TryGetValue(key, out var page))
            return page;
        page = query.After is { } after
            ? await ForwardAsync(name, query, after, stand)
            : await BackwardAsync(name, query, stand);
        Keep(key, page);
        return page;
    }

    /// <summary>Returns the page's body gzipped: made once, and counted with the cached pages.</summary>
    public byte[] GzippedOf(HistoryPage page)
    {
        var gzipped = page.Gzip(out var isFirst);
        // For a page that is no longer cached, the count is too high until the next clearing, never too low.
        if (isFirst)
            Count(gzipped.Length);
        return gzipped;
    }

    private void Keep(PageKey key, HistoryPage page)
    {
        lock (_keeping)
        {
            if (_pages.Count >= KeptPages)
                Clear();
            if (!_pages.TryAdd(key, page))
                return;
            Count(page.Size + EntryBytes);
        }
    }

    private void Count(long bytes)
    {
        lock (_keeping)
        {
            if (Interlocked.Add(ref _bytes, bytes) > KeptBytes)
                Clear();
        }
    }

    /// <summary>A limit, not a policy: when it is reached, pages are rendered again.</summary>
    private void Clear()
    {
        _pages.Clear();
        Interlocked.Exchange(ref _bytes, 0);
    }

    /// <inheritdoc cref="Transcript.StateAsync"/>
    public ValueTask<TranscriptState?> StateAsync(SessionRef name) => transcript.StateAsync(name);

    private async ValueTask<HistoryPage> BackwardAsync(SessionRef name, HistoryQuery query, TranscriptState stand)
    {
        var last = stand.LastSeq;
        // The page contains the messages up to `last` and no later one, because it is cached under that number.
        var before = Math.Min(query.Before ?? long.MaxValue, last + 1);
        var rows = await transcript.BeforeAsync(name.Project, name.Id, before, query.Limit + 1);
        var more = rows.Count > query.Limit || (rows.Count > 0 && rows[^1].Seq > 1);
        if (rows.Count > query.Limit)
            rows.RemoveAt(rows.Count - 1);
        rows.Reverse();
        var (oldest, newest) = rows.Count > 0 ? (rows[0].Seq, rows[^1].Seq) : ((long?)null, last);
        return HistoryPage.Render(name.Key, rows, more && rows.Count > 0, oldest, query, newest);
    }

    private async ValueTask<HistoryPage> ForwardAsync(
        SessionRef name,
        HistoryQuery query,
        long after,
        TranscriptState stand
    )
    {
        var last = stand.LastSeq;
        var rows = await transcript.AfterAsync(name.Project, name.Id, after, query.Limit);
        rows.RemoveAll(m => m.Seq > last);
        var newest = rows.Count > 0 ? rows[^1].Seq : after;
        var next = rows.Count > 0 ? newest : (long?)null;
        return HistoryPage.Render(name.Key, rows, newest < last && next is not null, next, query, newest);
    }

    private readonly record struct PageKey(string Session, TranscriptState Stand, HistoryQuery Query);
}
