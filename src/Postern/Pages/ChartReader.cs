using Postern.Http;
using Postern.Metrics;

namespace Postern.Pages;

/// <summary>
/// Reads the charts of the overview: those that a person may see, and the figures of those that are shown.
/// </summary>
internal sealed class ChartReader(MetricReader metrics, Paths paths)
{
    public const string ChartFilter = "chart";
    public const string SpanFilter = "span";

    /// <summary>Without kinds, when the signed-in person may see none.</summary>
    public async ValueTask<Checked<ChartsModel>> ReadAsync(PageContext context, PageFilters filters)
    {
        if (ChartSpan.Find(filters[SpanFilter] is { Length: > 0 } asked ? asked : "1h") is not { } span)
            return PageFilters.Bad("span: " + Wire.Cut(filters[SpanFilter], 64) + " is none");
        var name = filters[ChartFilter];
        if (name.Length > 0 && ChartKind.Find(name) is null)
            return PageFilters.Bad("chart: " + Wire.Cut(name, 64) + " is none");
        var kinds = await MayAsync(context);
        if (kinds.Count == 0)
            return new ChartsModel(ChartKind.All[0], span, [], []);
        // A chart that this person may not see is answered with the first permitted one, so the address reveals
        // nothing.
        var shown = kinds.Find(kind => kind.Name == name) ?? kinds[0];
        var drawn = span.ShowsGroup ? kinds.FindAll(kind => kind.Group == shown.Group) : [shown];
        var (from, to) = span.Of(context.Now);
        var series = await metrics.ReadAsync(
            context.Project,
            [.. drawn.SelectMany(kind => kind.Columns).Select(column => column.Kind).Distinct()],
            span.Width,
            from,
            to
        );
        return new ChartsModel(
            shown,
            span,
            kinds,
            [.. drawn.Select(kind => new ChartTable(kind, span, context.Now, series, ListOf(context, kind)))]
        );
    }

    private string? ListOf(PageContext context, ChartKind kind) =>
        // Who may see what captures became may not see the runs of all triggers.
        kind.List
            is { } list
        && (kind.Name != "captures" || context.MayList("runs"))
            ? paths.Of(list).Replace("&", "&amp;")
            : null;

    private async ValueTask<List<ChartKind>> MayAsync(PageContext context)
    {
        var kinds = new List<ChartKind>();
        foreach (var kind in ChartKind.All)
            if (await metrics.MayReadAsync(context.Caller, kind.Columns[0].Kind))
                kinds.Add(kind);
        return kinds;
    }
}
