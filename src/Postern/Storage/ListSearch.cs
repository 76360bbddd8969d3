using System.Data.Common;
using System.Diagnostics;
using System.Globalization;

namespace Postern.Storage;

/// <summary>
/// Reads a page of a list whose filters may match nothing in a million rows. It walks through the list's index in
/// stretches, each with a read of its own, so that no list keeps a place or the database busy for longer than
/// <see cref="Stretch"/> rows take. After <see cref="MostTime"/> it returns what it has, and the place where the list
/// goes on. The page may then be short, or empty.
/// </summary>
internal static class ListSearch
{
    /// <summary>Most pages are full within this many rows.</summary>
    private const int FirstStretch = 1_000;

    /// <summary>The most rows that one read goes through: about 10 ms.</summary>
    public const int Stretch = 20_000;

    /// <summary>The most rows whose texts are searched for one page.</summary>
    public const int MostForText = 10_000;

    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(2);

    /// <param name="database">Where it is asked.</param>
    /// <param name="order">The list's order.</param>
    /// <param name="from">The place behind which it begins; null: at the beginning.</param>
    /// <param name="limit">Rows of a page, at most.</param>
    /// <param name="narrow">The list's first condition, which the index serves, and its filters.</param>
    /// <param name="read">
    /// Reads up to so many rows of the query, in order, and says whether it stopped early because a page holds no more.
    /// </param>
    /// <param name="placeOf">A row's place in the order.</param>
    /// <param name="cancel">The request's.</param>
    /// <param name="mostRows">Rows that are gone through for one page, where each must be checked.</param>
    public static async ValueTask<Listed<T>> FindAsync<T>(
        Database database,
        ListOrder order,
        (long At, string Id)? from,
        int limit,
        Func<Tx, ValueTask<ListQuery>> narrow,
        Func<Tx, ListQuery, int, ValueTask<(List<T> Rows, bool IsFull)>> read,
        Func<T, (long At, string Id)> placeOf,
        CancellationToken cancel,
        int mostRows = int.MaxValue
    )
    {
        var found = new List<T>();
        var began = Stopwatch.GetTimestamp();
        for (var stretch = FirstStretch; ; stretch = Math.Min(Stretch, mostRows))
        {
            var start = from;
            mostRows -= stretch;
            var (rows, isFull, end) = await database.SearchAsync(async tx =>
            {
                var query = await narrow(tx);
                var last = await query.EndOfStretchAsync(order, start, stretch);
                query.Beyond(order, start).UpTo(order, last);
                var (some, full) = await read(tx, query, limit - found.Count + 1);
                return (some, full, last);
            });
            found.AddRange(rows);
            if (found.Count > limit || isFull)
            {
                var page = found.Take(limit).ToList();
                return new Listed<T>(page, placeOf(page[^1]));
            }
            if (end is null)
                return new Listed<T>(found, null);
            if (mostRows <= 0 || Stopwatch.GetElapsedTime(began) > MostTime)
                return new Listed<T>(found, end);
            from = end;
            cancel.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The same for rows of a bounded size.</summary>
    /// <param name="columns">What is read of a row.</param>
    /// <param name="map">Reads a row of them.</param>
    public static ValueTask<Listed<T>> FindAsync<T>(
        Database database,
        ListOrder order,
        (long At, string Id)? from,
        int limit,
        Func<Tx, ListQuery> narrow,
        string columns,
        Func<DbDataReader, T> map,
        Func<T, (long At, string Id)> placeOf,
        CancellationToken cancel,
        int mostRows = int.MaxValue
    ) =>
        FindAsync(
            database,
            order,
            from,
            limit,
            tx => ValueTask.FromResult(narrow(tx)),
            async (_, query, most) => (await query.ReadAsync(order, columns, map, most), false),
            placeOf,
            cancel,
            mostRows
        );

    /// <summary>Returns only the ids, for an action on many things.</summary>
    public static async ValueTask<Listed<string>> IdsAsync(
        Database database,
        ListOrder order,
        (long At, string Id)? from,
        int limit,
        Func<Tx, ListQuery> narrow,
        CancellationToken cancel
    )
    {
        var found = await FindAsync(
            database,
            order,
            from,
            limit,
            narrow,
            order.At is null ? "0, id" : $"{order.At}, id",
            r => (At: Convert.ToInt64(r.GetValue(0), CultureInfo.InvariantCulture), Id: r.GetString(1)),
            place => place,
            cancel
        );
        return new Listed<string>([.. found.Rows.Select(place => place.Id)], found.Next);
    }
}
