using System.Globalization;
using Microsoft.Extensions.Primitives;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// Reads and checks the query of the list of sessions: <c>page[…]</c> and <c>filter[…]</c>, lists separated by commas
/// or repeated.
/// </summary>
internal sealed record SessionQuery(int Size, SessionFilter Filter)
{
    private const int MaxValues = 100;

    public static Checked<SessionQuery> Read(IQueryCollection query, long now)
    {
        var faults = new List<string>();
        var size = ReadSize(query, faults);
        var after = ReadCursor(query, "page[after]", faults);
        var before = ReadCursor(query, "page[before]", faults);
        if (after is not null && before is not null)
            faults.Add("page[after] and page[before] exclude each other");
        var statuses = Values(query, "filter[status]", faults);
        foreach (var status in statuses.Where(s => !Session.Statuses.Contains(s, StringComparer.Ordinal)))
            faults.Add($"filter[status] must be one of {string.Join(", ", Session.Statuses)}, not {status}");
        var from = ReadInstant(query, "filter[createdAt][from]", faults);
        var to = ReadInstant(query, "filter[createdAt][to]", faults);
        if (query.TryGetValue("filter[createdAt][period]", out var period))
        {
            if (Wire.TryParseSpan(period.ToString(), out var span))
                from = Math.Max(from ?? 0, now - Wire.Microseconds(span));
            else
                faults.Add("filter[createdAt][period] must be a span such as 7d");
        }
        var filter = new SessionFilter
        {
            Types = Values(query, "filter[type]", faults),
            Tags = Values(query, "filter[tags]", faults),
            Agents = Values(query, "filter[taskIdentifier]", faults),
            ExternalIds = Values(query, "filter[externalId]", faults),
            Statuses = statuses,
            From = from,
            To = to,
            After = after,
            Before = before,
        };
        return faults.Count == 0
            ? new SessionQuery(size, filter)
            : new Refusal(400, "Query Error", "invalid_body") { Extra = [("details", faults)], ShouldRetry = false };
    }

    private static int ReadSize(IQueryCollection query, List<string> faults)
    {
        var size = 20;
        if (
            query.TryGetValue("page[size]", out var asked)
            && (!int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out size) || size is < 1 or > 100)
        )
            faults.Add("page[size] must be a whole number from 1 to 100");
        return size;
    }

    private static IReadOnlyList<string> Values(IQueryCollection query, string name, List<string> faults)
    {
        if (!query.TryGetValue(name, out var values))
            return [];
        var list = values
            .SelectMany(v =>
                (v ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            )
            .Distinct(StringComparer.Ordinal)
            .ToList();
        if (list.Count > MaxValues)
            faults.Add($"{name} must have at most {MaxValues} values");
        if (list.Any(v => v.Contains('\0', StringComparison.Ordinal)))
            faults.Add($"{name} must be text");
        return list;
    }

    private static Cursor? ReadCursor(IQueryCollection query, string name, List<string> faults)
    {
        if (!query.TryGetValue(name, out var text) || StringValues.IsNullOrEmpty(text))
            return null;
        if (Cursor.TryParse(text.ToString(), out var cursor))
            return cursor;
        faults.Add($"{name} must be a cursor that this list gave");
        return null;
    }

    private static long? ReadInstant(IQueryCollection query, string name, List<string> faults)
    {
        if (!query.TryGetValue(name, out var text))
            return null;
        if (
            long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ms)
            && ms < 253_402_300_799_000
        )
            return ms * 1000;
        if (Wire.TryParseInstant(text.ToString(), out var instant))
            return instant;
        faults.Add($"{name} must be epoch milliseconds or an ISO date");
        return null;
    }
}
