using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Metrics;

/// <summary>The routes of metrics: the figures from which the console draws its charts.</summary>
internal sealed class MetricRoutes(MetricReader metrics, Database database)
{
    private const string Rule = "what the list of each name needs";

    public void Map(Doors doors) =>
        doors
            .Group("/api/v1/metrics", ProblemFormat.Instance)
            .Get("", Credentials.Key | Credentials.Token, Rule, Read)
            .WithSummary("Read what was counted, by the minute or by the hour")
            .QueryList(
                "name",
                "Names; all that the caller may read by default.",
                [.. MeasureKind.All.Select(k => k.Name)]
            )
            .QueryWord(
                "width",
                "How long a point is: minute by default.",
                MetricWidth.Minute.Name,
                MetricWidth.Hour.Name
            )
            .Query("from", "The first instant, ISO 8601. By default an hour before to, by the hour 48 hours.")
            .Query(
                "to",
                "Before which instant, ISO 8601; now by default. At most 48 hours of minutes, 92 days of hours."
            )
            .Produces<MetricsView>()
            .Produces(400, 401, 403);

    private async Task<IResult> Read(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        if (!ReadSpan(http.Request.Query, database.Now).Try(out var span, out var wrong))
            return wrong;
        if (!(await NamesAsync(http, caller)).Try(out var kinds, out var refused))
            return refused;
        var found = await metrics.ReadAsync(caller.Project, kinds, span.Width, span.From, span.To);
        return Reply.Ok(
            new MetricsView(
                span.Width.Name,
                Wire.Iso(span.From),
                Wire.Iso(span.To),
                [.. found.Select(MetricSeriesView.Of)]
            )
        );
    }

    private async ValueTask<Checked<List<MeasureKind>>> NamesAsync(HttpContext http, ProjectCaller caller)
    {
        var names = http
            .Request.Query["name"]
            .SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries))
            .Where(name => name.Length > 0)
            .Distinct(StringComparer.Ordinal)
            .ToList();
        if (names.FirstOrDefault(name => MeasureKind.Find(name) is null) is not null)
            return Bad("name holds what is no name of a metric.");
        var kinds = names.Count == 0 ? [.. MeasureKind.All] : names.Select(name => MeasureKind.Find(name)!).ToList();
        var readable = await metrics.ReadableAsync(caller, kinds);
        foreach (var kind in readable)
            caller.Allows(MetricReader.NeedOf(kind));
        if (names.Count == 0 && readable.Count > 0)
            return readable;
        if (kinds.Except(readable).FirstOrDefault() is not { } forbidden)
            return readable;
        var need = MetricReader.NeedOf(forbidden);
        caller.Allows(need);
        var required = forbidden.IsOfServer ? $"{need} of the default project" : need.ToString();
        return ProblemFormat.Instance.Forbidden(names.Count == 0 ? Rule : required);
    }

    private static MetricWidth? WidthOf(string word) => word.Length == 0 ? MetricWidth.Minute : MetricWidth.Find(word);

    /// <summary>Returns the requested period, with its ends moved to the beginning of a minute or hour.</summary>
    internal static Checked<MetricSpan> ReadSpan(IQueryCollection query, long now)
    {
        foreach (var (name, value) in query)
            if (value.Count > 1 && name != "name")
                return Bad($"{Wire.Cut(name, 64)} is given more than once.");
        if (WidthOf(query["width"].ToString()) is not { } width)
            return Bad("width is minute or hour.");
        if (!Wire.TryParseOptionalInstant(query["to"].ToString(), out var end))
            return Bad("to is no instant in ISO 8601.");
        if (!Wire.TryParseOptionalInstant(query["from"].ToString(), out var begin))
            return Bad("from is no instant in ISO 8601.");
        var to = width.StartOf(end is null ? now + width.Length : end.Value + width.Length - 1);
        var from = begin is null ? to - (width.UsualSteps * width.Length) : width.StartOf(begin.Value);
        if (from >= to)
            return Bad("from is not before to.");
        if ((to - from) / width.Length > width.MaxSteps)
            return Bad($"from and to are more than {width.MaxSteps} {width.Name}s apart.");
        return new MetricSpan(width, from, to);
    }

    private static Refusal Bad(string message) => Refusal.BadRequest(message, "invalid_filter");
}
