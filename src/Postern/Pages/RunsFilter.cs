using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>
/// The filters of the list of runs: those of the API, and <c>failure</c>, <c>from</c>, <c>to</c>, <c>olderThan</c>,
/// <c>reason</c>, <c>text</c>.
/// </summary>
internal static class RunsFilter
{
    public static readonly string[] Names =
    [
        "phase",
        "agent",
        "trigger",
        "session",
        "failure",
        "tag",
        "status",
        "created",
        "from",
        "to",
        "olderThan",
        "reason",
        "text",
    ];

    /// <summary>Filters that the API, and so a bulk action, does not have.</summary>
    public static bool IsOfText(PageFilters filters) => filters.Used.Any(n => n is "reason" or "text");

    public static Checked<RunFilter> Read(PageContext context, PageFilters filters)
    {
        if (filters.List("phase").FirstOrDefault(p => !Phase.All.Contains(p, StringComparer.Ordinal)) is { } word)
            return PageFilters.Bad($"phase: {word} is no phase");
        if (!PeriodOf(filters).Try(out var period, out var unread))
            return unread;
        var (from, to) = period;
        if (filters["olderThan"] is { Length: > 0 } age)
        {
            if (!Wire.TryParseSpan(age, out var old))
                return PageFilters.Bad("olderThan is a span such as 2h");
            to = Math.Min(to ?? long.MaxValue, context.Now - Wire.Microseconds(old));
        }
        return new RunFilter
        {
            Statuses = filters.List("status"),
            Phases = filters.List("phase"),
            Agents = filters.List("agent"),
            Sessions = filters.List("session"),
            Triggers = filters.List("trigger"),
            Tags = filters.List("tag"),
            FailureCodes = filters.List("failure"),
            Reason = filters.Text("reason"),
            Text = filters.Text("text"),
            From = from,
            To = to,
            After = filters.After,
            IsShown = SessionStore.ShownTo(context.MayAdmin, "run"),
        };
    }

    /// <summary>Returns when the runs were made; null for an end that is not given.</summary>
    private static Checked<(long? From, long? To)> PeriodOf(PageFilters filters)
    {
        if (!Wire.TryParseOptionalInstant(filters["from"], out var from))
            return Unread("from");
        if (!Wire.TryParseOptionalInstant(filters["to"], out var to))
            return Unread("to");
        if (filters["created"].Length == 0)
            return (from, to);
        if ((from ?? to) is not null || !RunQuery.TryParseSpan(filters["created"], out from, out to))
            return PageFilters.Bad(
                "created is from..to in ISO 8601, such as 2026-01-31..2026-02-01; not with from, to"
            );
        return (from, to);

        static Refusal Unread(string name) =>
            PageFilters.Bad($"{name} is a day or an instant in ISO 8601, such as 2026-01-31");
    }

    /// <summary>Returns the same period as <c>from..to</c>, or null when there is none.</summary>
    private static string? SpanOf(PageFilters filters) =>
        filters["created"].Length > 0 ? filters["created"]
        : filters["from"].Length + filters["to"].Length > 0 ? filters["from"] + ".." + filters["to"]
        : null;

    /// <summary>Returns whether the list is limited to a period or to a trigger.</summary>
    public static bool IsOfSpan(PageFilters filters) =>
        filters.Used.Any(n => n is "created" or "from" or "to" or "olderThan" or "trigger");

    /// <summary>The same filters for a bulk action, as the query of its confirmation.</summary>
    /// <param name="filters">Of the list.</param>
    /// <param name="changes">What differs from them.</param>
    public static string Ask(PageFilters filters, params ReadOnlySpan<(string Name, string? Value)> changes)
    {
        var given = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["failureCode"] = filters["failure"],
            ["created"] = SpanOf(filters),
        };
        foreach (var name in (string[])["phase", "agent", "trigger", "session", "tag", "status", "olderThan"])
            given[name] = filters[name];
        foreach (var (name, value) in changes)
            given[name] = value;
        return BulkWords.Query([.. given.Select(g => (g.Key, g.Value))]);
    }
}
