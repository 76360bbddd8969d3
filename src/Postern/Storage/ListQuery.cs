using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Postern.Storage;

/// <summary>
/// The conditions of a list and their arguments, in one order. A list of values is one argument, so the number of texts does not grow with what
/// callers ask: each text is a statement that the database prepares and keeps.
/// </summary>
internal sealed class ListQuery
{
    private readonly Tx _tx;
    private readonly StringBuilder _where;
    private readonly List<object?> _args;

    /// <param name="tx">Where it is asked.</param>
    /// <param name="where">The first condition, over <paramref name="args"/> as <c>$1…</c>.</param>
    /// <param name="args">Its arguments.</param>
    public ListQuery(Tx tx, string where, params ReadOnlySpan<object?> args) => (_tx, _where, _args) = (tx, new StringBuilder(where), [.. args]);

    public string Where => _where.ToString();

    public object?[] Args => [.. _args];

    /// <summary>The name of one more argument.</summary>
    public string Arg(object value)
    {
        _args.Add(value);
        return "$" + _args.Count;
    }

    /// <param name="condition">With <c>{0}</c> for the value.</param>
    /// <param name="value">Null: no condition.</param>
    public ListQuery And(string condition, object? value)
    {
        if (value is not null) _where.Append(" AND ").AppendFormat(CultureInfo.InvariantCulture, condition, Arg(value));
        return this;
    }

    public ListQuery And(string condition)
    {
        _where.Append(" AND ").Append(condition);
        return this;
    }

    /// <summary>The column is one of these values; an empty list narrows nothing.</summary>
    public ListQuery AnyOf(string column, IReadOnlyList<string> values)
    {
        if (values.Count > 0) _where.Append(" AND ").Append(_tx.IsAnyOf(column, Arg(JsonSerializer.Serialize(values))));
        return this;
    }

    /// <summary>The column, a JSON list of texts, holds one of these; an empty list narrows nothing.</summary>
    public ListQuery HoldsAnyOf(string column, IReadOnlyList<string> values)
    {
        if (values.Count > 0) _where.Append(" AND ").Append(_tx.HoldsAnyOf(column, Arg(JsonSerializer.Serialize(values))));
        return this;
    }

    /// <summary>Only what comes behind a cursor, in the order of an instant and an id.</summary>
    /// <param name="at">The column of the instant.</param>
    /// <param name="sign"><c>&lt;</c> for the newest first, <c>&gt;</c> for the oldest first.</param>
    /// <param name="from">The instant and id of the last row that was seen; null: from the beginning.</param>
    public ListQuery Beyond(string at, string sign, (long At, string Id)? from)
    {
        // A row value: both databases turn it into a bound of the index.
        if (from is { } last) _where.Append($" AND ({at}, id) {sign} ({Arg(last.At)}, {Arg(last.Id)})");
        return this;
    }
}
