using System.Data.Common;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Postern.Storage;

/// <summary>
/// The conditions of a list and their arguments, in one order. A list of values is one argument, so the number of texts
/// does not grow with what callers ask: each text is a statement that the database prepares and keeps.
/// </summary>
internal sealed class ListQuery
{
    private readonly Tx _tx;
    private readonly StringBuilder _where;
    private readonly List<object?> _args;
    private readonly string _scope;
    private readonly int _scopeArgs;

    /// <param name="tx">Where it is asked.</param>
    /// <param name="where">
    /// The first condition, which the list's index serves, over <paramref name="args"/> as <c>$1…</c>.
    /// </param>
    /// <param name="args">Its arguments.</param>
    public ListQuery(Tx tx, string where, params ReadOnlySpan<object?> args)
    {
        (_tx, _where, _args) = (tx, new StringBuilder(where), [.. args]);
        (_scope, _scopeArgs) = (where, args.Length);
    }

    public string Where => _where.ToString();

    public object?[] Args => [.. _args];

    /// <summary>Adds an argument and returns its name.</summary>
    public string Arg(object value)
    {
        _args.Add(value);
        return "$" + _args.Count;
    }

    /// <param name="condition">With <c>{0}</c> for the value.</param>
    /// <param name="value">Null: no condition.</param>
    public ListQuery And(string condition, object? value)
    {
        if (value is not null)
            _where.Append(" AND ").AppendFormat(CultureInfo.InvariantCulture, condition, Arg(value));
        return this;
    }

    public ListQuery And(string condition)
    {
        _where.Append(" AND ").Append(condition);
        return this;
    }

    /// <summary>Requires that the column is one of these values. An empty list adds no condition.</summary>
    public ListQuery AnyOf(string column, IReadOnlyList<string> values)
    {
        if (values.Count > 0)
            _where.Append(" AND ").Append(_tx.IsAnyOf(column, Arg(JsonSerializer.Serialize(values))));
        return this;
    }

    /// <summary>
    /// Requires that the column, a JSON list of texts, contains one of these. An empty list adds no condition.
    /// </summary>
    public ListQuery HoldsAnyOf(string column, IReadOnlyList<string> values)
    {
        if (values.Count > 0)
            _where.Append(" AND ").Append(_tx.HoldsAnyOf(column, Arg(JsonSerializer.Serialize(values))));
        return this;
    }

    /// <summary>
    /// Requires that one of the columns contains a text, exactly, or ignoring the case of ASCII letters. Null adds no
    /// condition.
    /// </summary>
    public ListQuery Holds(string? text, params IReadOnlyList<string> columns)
    {
        if (text is null)
            return this;
        var (same, lower) = (Arg(Pattern(text)), Arg(Pattern(text.ToLowerInvariant())));
        var tests = columns.Select(c => $"{c} LIKE {same} ESCAPE '!' OR lower({c}) LIKE {lower} ESCAPE '!'");
        return And("(" + string.Join(" OR ", tests) + ")");

        static string Pattern(string text) =>
            "%"
            + text.Replace("!", "!!", StringComparison.Ordinal)
                .Replace("%", "!%", StringComparison.Ordinal)
                .Replace("_", "!_", StringComparison.Ordinal)
            + "%";
    }

    /// <summary>Keeps only the rows behind a place in the list's order.</summary>
    /// <param name="order">The list's order.</param>
    /// <param name="from">The last row that was seen; null: from the beginning.</param>
    public ListQuery Beyond(ListOrder order, (long At, string Id)? from)
    {
        if (from is { } last)
            _where.Append(" AND ").Append(Compared(order, order.Sign, last, Arg));
        return this;
    }

    /// <summary>Keeps only the rows up to a place, including that place. Null: to the end.</summary>
    public ListQuery UpTo(ListOrder order, (long At, string Id)? end)
    {
        if (end is not { } last)
            return this;
        _where.Append(" AND ").Append(Compared(order, order.NewestFirst ? ">=" : "<=", last, Arg));
        return this;
    }

    /// <summary>
    /// Returns the place that many rows behind another, whatever the filters, or null when the list has fewer. Only the
    /// index is read.
    /// </summary>
    public ValueTask<(long At, string Id)?> EndOfStretchAsync(ListOrder order, (long At, string Id)? from, int rows)
    {
        var (where, args) = (_scope, _args.Take(_scopeArgs).ToList());
        if (from is { } last)
            where += " AND " + Compared(order, order.Sign, last, Named);
        return _tx.FirstAsync<(long, string)?>(
            $"""
            SELECT {order.At ?? "0"}, id FROM {order.Table} WHERE {where}
            ORDER BY {order.Sql} LIMIT 1 OFFSET {Named((long)rows)}
            """,
            r => (Convert.ToInt64(r.GetValue(0), CultureInfo.InvariantCulture), r.GetString(1)),
            [.. args]
        );

        string Named(object value)
        {
            args.Add(value);
            return "$" + args.Count;
        }
    }

    /// <summary>Returns whether one row of the table, given by its id, matches.</summary>
    public async ValueTask<bool> IsFoundAsync(ListOrder order, string id)
    {
        And("id = {0}", id);
        return await _tx.FirstAsync($"SELECT 1 FROM {order.Table} WHERE {Where}", r => r.GetInt64(0), Args) == 1;
    }

    /// <summary>Reads the matching rows, in order.</summary>
    public ValueTask<List<T>> ReadAsync<T>(ListOrder order, string columns, Func<DbDataReader, T> map, int limit)
    {
        var most = Arg((long)limit);
        return _tx.ListAsync(
            $"SELECT {columns} FROM {order.Table} WHERE {Where} ORDER BY {order.Sql} LIMIT {most}",
            map,
            Args
        );
    }

    /// <summary>Counts the first matching rows, grouped by some of their columns, in the database.</summary>
    /// <param name="columns">What is read of a row, each with the name that <paramref name="names"/> has.</param>
    /// <param name="names">The names of the columns.</param>
    /// <param name="map">Reads a group: its columns, and behind them the number of its rows.</param>
    /// <param name="limit">Rows that are counted at most.</param>
    public ValueTask<List<T>> GroupAsync<T>(
        ListOrder order,
        string columns,
        IReadOnlyList<string> names,
        Func<DbDataReader, T> map,
        int limit
    )
    {
        var (most, by) = (Arg((long)limit), string.Join(", ", names));
        return _tx.ListAsync(
            $"""
            SELECT {by}, COUNT(*) FROM (
              SELECT {columns} FROM {order.Table} WHERE {Where} ORDER BY {order.Sql} LIMIT {most}) AS first
            GROUP BY {by}
            """,
            map,
            Args
        );
    }

    // A row value: both databases turn it into a bound of the index. PostgreSQL only guesses how many rows lie behind a
    // row value, but knows it for a column. Without the condition on the column it would read the whole table.
    private static string Compared(ListOrder order, string sign, (long At, string Id) place, Func<object, string> arg)
    {
        if (order.At is not { } at)
            return $"id {sign} {arg(place.Id)}";
        var (instant, id) = (arg(place.At), arg(place.Id));
        return $"{at} {sign[0]}= {instant} AND ({at}, id) {sign} ({instant}, {id})";
    }
}
