using Postern.Http;
using Postern.Runs;
using Postern.Sessions;

namespace Postern.Dispatch;

/// <summary>Reads the filters of a list of runs.</summary>
internal static class RunQuery
{
    private const int MaxValues = 100;

    /// <summary>Returns null when a filter cannot be read.</summary>
    public static RunFilter? Read(IQueryCollection query, Cursor? after)
    {
        if (
            ReadLists(query, "status", "phase", "agent", "session", "trigger", "tag") is not { } lists
            || lists[1].Any(p => !Phase.All.Contains(p, StringComparer.Ordinal))
            || !TryReadSpan(query, "created", out var from, out var to)
        )
            return null;
        return new RunFilter
        {
            Statuses = lists[0],
            Phases = lists[1],
            Agents = lists[2],
            Sessions = lists[3],
            Triggers = lists[4],
            Tags = lists[5],
            From = from,
            To = to,
            After = after,
            IsShown = SessionStore.IsNotOfInternal("run"),
        };
    }

    /// <summary>
    /// Reads filters that are lists separated by commas, in the order of their names. Returns null when one cannot be
    /// read.
    /// </summary>
    public static List<IReadOnlyList<string>>? ReadLists(IQueryCollection query, params ReadOnlySpan<string> names)
    {
        var lists = new List<IReadOnlyList<string>>();
        foreach (var name in names)
        {
            var values = query[name]
                .SelectMany(v =>
                    (v ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                )
                .Distinct(StringComparer.Ordinal)
                .ToList();
            if (
                values.Count > MaxValues
                || values.Any(v => v.Length > Session.MaxExternalId || v.Contains('\0', StringComparison.Ordinal))
            )
                return null;
            lists.Add(values);
        }
        return lists;
    }

    /// <summary>
    /// Reads <c>from..to</c>, of which one end may be missing. Without both it would mean everything.
    /// </summary>
    public static bool TryReadSpan(IQueryCollection query, string name, out long? from, out long? to)
    {
        (from, to) = (null, null);
        return !query.TryGetValue(name, out var span) || TryParseSpan(span.ToString(), out from, out to);
    }

    /// <summary>
    /// Reads <c>from..to</c>, of which one end may be missing. Without both it would mean everything.
    /// </summary>
    public static bool TryParseSpan(string text, out long? from, out long? to)
    {
        (from, to) = (null, null);
        var ends = text.Split("..");
        return ends.Length == 2
            && Wire.TryParseOptionalInstant(ends[0], out from)
            && Wire.TryParseOptionalInstant(ends[1], out to)
            && (from ?? to) is not null;
    }
}
