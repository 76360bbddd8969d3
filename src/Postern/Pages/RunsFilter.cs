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
        foreach (var end in (string[])["from", "to"])
            if (!Wire.TryParseOptionalInstant(filters[end], out _))
                return PageFilters.Bad($"{end} is a day or an instant in ISO 8601, such as 2026-01-31");
        var (from, to) = ((long?)null, (long?)null);
        if (SpanOf(filters) is not { } span || (span.Length > 0 && !RunQuery.TryParseSpan(span, out from, out to)))
            return PageFilters.Bad(
                "created is from..to in ISO 8601, such as 2026-01-31..2026-02-01; not with from, to"
            );
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

    /// <summary>Returns the period in which the runs were made, or null when it is given in two ways.</summary>
    private static string? SpanOf(PageFilters filters)
    {
        var hasEnd = filters["from"].Length > 0 || filters["to"].Length > 0;
        if (hasEnd && filters["created"].Length > 0)
            return null;
        return hasEnd ? filters["from"] + ".." + filters["to"] : filters["created"];
    }

    /// <summary>Returns whether the list is limited to a period or to a trigger.</summary>
    public static bool IsOfSpan(PageFilters filters) =>
        filters.Used.Any(n => n is "created" or "from" or "to" or "olderThan" or "trigger");

    /// <summary>The same filters for a bulk action, as the query of its confirmation.</summary>
    /// <param name="filters">Of the list.</param>
    /// <param name="changes">What differs from them.</param>
    public static string Ask(PageFilters filters, params ReadOnlySpan<(string Name, string? Value)> changes)
    {
        var span = SpanOf(filters);
        var given = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["failureCode"] = filters["failure"],
            ["created"] = span is "" ? null : span,
        };
        foreach (var name in (string[])["phase", "agent", "trigger", "session", "tag", "status", "olderThan"])
            given[name] = filters[name];
        foreach (var (name, value) in changes)
            given[name] = value;
        return BulkWords.Query([.. given.Select(g => (g.Key, g.Value))]);
    }
}
