namespace Postern.Pages;

/// <summary>
/// A run drawn on one axis, from its creation to its end or to now. The longest stretch without any event is drawn
/// broken when it is more than half of the whole.
/// </summary>
internal sealed class Timeline
{
    /// <summary>Units of the axis.</summary>
    public const double Width = 1000;
    private const double CutWidth = 80;
    private const int MaxRows = 500;
    private const int FirstRows = 200;
    private readonly long _from;
    private readonly long _to;
    private readonly (long From, long To)? _cut;

    /// <param name="from">Microseconds.</param>
    /// <param name="to">Microseconds.</param>
    /// <param name="rows">In their order.</param>
    public Timeline(long from, long to, IReadOnlyList<TimelineRow> rows)
    {
        (_from, _to) = (from, Math.Max(to, from + 1));
        _cut = Longest(rows) is { } gap && gap.To - gap.From > (_to - _from) / 2 && rows.Count > 1 ? gap : null;
        LeftOut = Math.Max(0, rows.Count - MaxRows);
        Rows = LeftOut == 0 ? rows : [.. rows.Take(FirstRows), .. rows.TakeLast(MaxRows - FirstRows)];
    }

    public IReadOnlyList<TimelineRow> Rows { get; }

    /// <summary>The number of rows in the middle that are not drawn.</summary>
    public int LeftOut { get; }

    public long Whole => _to - _from;

    /// <summary>The stretch that is drawn broken, with its place; null when there is none.</summary>
    public (double At, long Length)? Cut => _cut is { } cut ? (X(cut.From) + (CutWidth / 2), cut.To - cut.From) : null;

    /// <summary>Returns the place of an instant on the axis.</summary>
    public double X(long at)
    {
        at = Math.Clamp(at, _from, _to);
        if (_cut is not { } cut)
            return (at - _from) * Width / Whole;
        var rest = (double)(Whole - (cut.To - cut.From));
        var scale = rest > 0 ? (Width - CutWidth) / rest : 0;
        if (at <= cut.From)
            return (at - _from) * scale;
        if (at >= cut.To)
            return Width - ((_to - at) * scale);
        return ((cut.From - _from) * scale) + (CutWidth * (at - cut.From) / (cut.To - cut.From));
    }

    private (long From, long To)? Longest(IReadOnlyList<TimelineRow> rows)
    {
        var instants = rows.SelectMany(r => new[] { r.From, r.To })
            .Append(_from)
            .Append(_to)
            .Distinct()
            .Order()
            .ToList();
        return instants
            .Zip(instants.Skip(1), (a, b) => ((long, long)?)(a, b))
            .MaxBy(g => g!.Value.Item2 - g.Value.Item1);
    }
}
