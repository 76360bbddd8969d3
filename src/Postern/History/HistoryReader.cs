using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.History;

/// <summary>
/// Pages of transcripts. A page is a function of the session, the number of its last message and the query: it is rendered once and
/// kept under those, so a repeat costs one indexed read of that number. The pages kept are bounded in bytes.
/// </summary>
internal sealed class HistoryReader(Database database, Transcript transcript)
{
    private const long KeptBytes = 64 * 1024 * 1024;
    private readonly ConcurrentDictionary<PageKey, HistoryPage> _pages = new();
    private long _bytes;

    /// <summary>The page, or null when the session is gone.</summary>
    public async ValueTask<HistoryPage?> ReadAsync(SessionName name, HistoryQuery query)
    {
        if (await LastSeqAsync(name) is not { } last) return null;
        var key = new PageKey(name.Id, last, query with { Deltas = false });
        if (_pages.TryGetValue(key, out var page)) return page;
        page = query.After is { } after ? await ForwardAsync(name, query, after, last) : await BackwardAsync(name, query, last);
        if (Interlocked.Add(ref _bytes, page.Json.Length) > KeptBytes)
        {
            // A bound, not a policy: what is asked for again is rendered again.
            _pages.Clear();
            Interlocked.Exchange(ref _bytes, page.Json.Length);
        }
        _pages[key] = page;
        return page;
    }

    /// <summary>The number of the newest message; 0 when there is none yet, null when there is no session.</summary>
    public ValueTask<long?> LastSeqAsync(SessionName name) =>
        database.ReadAsync(tx => tx.FirstAsync("SELECT message_next - 1 FROM session WHERE project = $1 AND id = $2", r => (long?)r.GetInt64(0), name.Project, name.Id));

    private async ValueTask<HistoryPage> BackwardAsync(SessionName name, HistoryQuery query, long last)
    {
        // The page is of the messages up to `last` and no later one: it is kept under that number.
        var before = Math.Min(query.Before ?? long.MaxValue, last + 1);
        var rows = await transcript.BeforeAsync(name.Project, name.Id, before, query.Limit + 1);
        var more = rows.Count > query.Limit || (rows.Count > 0 && rows[^1].Seq > 1);
        if (rows.Count > query.Limit) rows.RemoveAt(rows.Count - 1);
        rows.Reverse();
        return HistoryPage.Render(name.Key, rows, more && rows.Count > 0, rows.Count > 0 ? rows[0].Seq : null, query, ETagOf(name, last, query), rows.Count > 0 ? rows[^1].Seq : last);
    }

    private async ValueTask<HistoryPage> ForwardAsync(SessionName name, HistoryQuery query, long after, long last)
    {
        var rows = await transcript.AfterAsync(name.Project, name.Id, after, query.Limit);
        rows.RemoveAll(m => m.Seq > last);
        var newest = rows.Count > 0 ? rows[^1].Seq : after;
        return HistoryPage.Render(name.Key, rows, newest < last && rows.Count > 0, rows.Count > 0 ? newest : null, query, ETagOf(name, last, query), newest);
    }

    private static string ETagOf(SessionName name, long last, HistoryQuery query) =>
        "\"" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{name.Id} {last} {query.Limit} {query.Before} {query.After} {query.Lean} {query.Full}")).AsSpan(0, 12)) + "\"";

    private readonly record struct PageKey(string Session, long LastSeq, HistoryQuery Query);
}
