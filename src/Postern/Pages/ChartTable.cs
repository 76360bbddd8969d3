using System.Globalization;
using System.Text;
using Postern.Http;
using Postern.Metrics;

namespace Postern.Pages;

/// <summary>
/// The figures of a chart as a table. The chart is drawn from it, and it serves people who do not see the drawing. Its
/// rows are the minutes or hours in which something happened, newest first.
/// </summary>
internal sealed class ChartTable
{
    private const long Second = 1_000_000;
    private readonly ChartSpan _span;
    private readonly SortedDictionary<long, double?[]> _rows = new(Comparer<long>.Create((a, b) => b.CompareTo(a)));
    private readonly string? _list;

    /// <param name="kind">The chart.</param>
    /// <param name="span">The time that it looks back over.</param>
    /// <param name="now">The database's time.</param>
    /// <param name="series">What was read of its measures, and of others.</param>
    /// <param name="list">
    /// The path of the list of a span, which stands for <c>{0}</c>; null: it has none, or it may not be opened.
    /// </param>
    public ChartTable(ChartKind kind, ChartSpan span, long now, IReadOnlyList<MetricSeries> series, string? list)
    {
        (Kind, _span, _list) = (kind, span, list);
        (From, To) = span.Of(now);
        var columns = kind
            .Columns.SelectMany(column =>
                series
                    .Where(s => s.Kind.Measure == column.Measure && (s.Points.Count > 0 || s.Node is null))
                    .Select(s => (Column: column, Series: s))
            )
            .ToList();
        Labels = [.. columns.Select(c => c.Series.Node is { } node ? $"{c.Column.Label}, {node}" : c.Column.Label)];
        for (var i = 0; i < columns.Count; i++)
            foreach (var point in columns[i].Series.Points)
            {
                if (!_rows.TryGetValue(point.At, out var row))
                    _rows[point.At] = row = new double?[columns.Count];
                row[i] = columns[i].Column.ValueOf(point);
            }
    }

    public ChartKind Kind { get; }

    public long From { get; }

    public long To { get; }

    public long StepSeconds => _span.Width.Seconds;

    public bool IsEmpty => _rows.Count == 0;

    public IReadOnlyList<string> Labels { get; }

    /// <summary>Where nothing was counted, a count is 0, and a span or a level is unknown.</summary>
    public bool IsOfCounts => Array.TrueForAll(Kind.Columns, column => column.Part is null && !column.Kind.IsLevel);

    /// <summary>Returns the list of a span, into which a script puts the instants; null when there is none.</summary>
    public string? ListOfSpan =>
        _list is null ? null : string.Format(CultureInfo.InvariantCulture, _list, "{from}..{to}");

    /// <summary>
    /// Writes the rows. Each has its start in seconds since 1970. They contain only numbers and instants, so nothing
    /// must be escaped. End tags of cells are left out, as HTML allows, because there are thousands of cells.
    /// </summary>
    /// <param name="when">Writes an instant in the viewer's time zone: see <see cref="Look.When"/>.</param>
    public string Rows(Func<long, string> when)
    {
        var text = new StringBuilder(_rows.Count * 48);
        foreach (var (at, values) in _rows)
        {
            text.Append(CultureInfo.InvariantCulture, $"<tr data-t={at / Second}><th scope=row>");
            if (_list is null)
                text.Append(TimeOf(when(at)));
            else
                text.Append("<a href=\"")
                    .AppendFormat(
                        CultureInfo.InvariantCulture,
                        _list,
                        Instant(at) + ".." + Instant(at + _span.Width.Length)
                    )
                    .Append("\">")
                    .Append(TimeOf(when(at)))
                    .Append("</a>");
            foreach (var value in values)
                text.Append("<td>").Append(Number(value ?? (IsOfCounts ? 0 : null)));
            text.Append('\n');
        }
        return text.ToString();
    }

    private string TimeOf(string instant) => _span.ShowsGroup ? instant[11..16] : instant[..10] + " " + instant[11..16];

    private static string Instant(long at) => Wire.Iso(at)[..19] + "Z";

    private static string Number(double? value) =>
        value is { } number ? number.ToString(number < 100 ? "0.##" : "0", CultureInfo.InvariantCulture) : "–";
}
