using Postern.Access;
using Postern.Storage;

namespace Postern.Metrics;

/// <summary>
/// Reads the metrics that a caller may read: each measure needs the scope of its list. Refusals need <c>admin</c>.
/// Refusals that prove no project, and measures of the server, belong to the default project.
/// </summary>
internal sealed class MetricReader(MetricStore store, Projects projects)
{
    /// <summary>Returns whether a caller may read a measure.</summary>
    public async ValueTask<bool> MayReadAsync(ProjectCaller caller, MeasureKind kind) =>
        caller.Authority.Allows(NeedOf(kind)) && (!kind.IsOfServer || await IsDefaultAsync(caller.Project));

    /// <summary>Returns those of some measures that a caller may read.</summary>
    public async ValueTask<List<MeasureKind>> ReadableAsync(ProjectCaller caller, IEnumerable<MeasureKind> kinds)
    {
        var readable = new List<MeasureKind>();
        foreach (var kind in kinds)
            if (await MayReadAsync(caller, kind))
                readable.Add(kind);
        return readable;
    }

    /// <summary>Returns measures that the caller may read, for a period.</summary>
    /// <param name="project">The caller's.</param>
    /// <param name="kinds">What he may read.</param>
    /// <param name="width">Of minutes or of hours.</param>
    /// <param name="from">Inclusive, microseconds since 1970.</param>
    /// <param name="to">Exclusive.</param>
    public async ValueTask<List<MetricSeries>> ReadAsync(
        string project,
        IReadOnlyList<MeasureKind> kinds,
        MetricWidth width,
        long from,
        long to
    )
    {
        var isDefault = await IsDefaultAsync(project);
        var found = new List<MetricSeries>();
        foreach (
            var some in kinds.GroupBy(kind =>
                kind.IsOfServer ? Tally.Server
                : isDefault && IsRefusal(kind) ? $"{project} {Tally.Server}"
                : project
            )
        )
            found.AddRange(await store.ReadAsync(some.Key.Split(' '), [.. some], width, from, to));
        return [.. found.OrderBy(series => series.Kind.Measure)];
    }

    /// <summary>Returns the scope that a measure's list needs.</summary>
    public static RequiredScope NeedOf(MeasureKind kind) =>
        kind.Name.Split('.')[0] switch
        {
            "runs" => new RequiredScope("read", "runs"),
            "approvals" => new RequiredScope("read", "approvals"),
            "captures" => new RequiredScope("read", "triggers"),
            "deliveries" => new RequiredScope("read", "deliveries"),
            "streams" => new RequiredScope("read", "sessions"),
            _ => RequiredScope.FullAdmin,
        };

    private static bool IsRefusal(MeasureKind kind) => kind.Name.StartsWith("refused.", StringComparison.Ordinal);

    private async ValueTask<bool> IsDefaultAsync(string project) => project == await projects.DefaultAsync();
}
