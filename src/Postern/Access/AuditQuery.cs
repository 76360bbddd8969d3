using Postern.Http;

namespace Postern.Access;

/// <summary>Reads the filters of a list of audit rows, for the API and the console.</summary>
internal static class AuditQuery
{
    /// <summary>The longest value of a filter.</summary>
    public const int MaxValue = 600;

    /// <summary>The names of the filters.</summary>
    public static readonly string[] Names =
    [
        "action",
        "credential",
        "actor",
        "route",
        "reason",
        "address",
        "trigger",
        "at",
    ];

    public static Checked<AuditFilter> Read(IQueryCollection query)
    {
        foreach (var name in Names)
        {
            var value = query[name];
            if (value.Count > 1)
                return Bad(name, "was sent more than once");
            var text = value.ToString();
            if (text.Length > MaxValue)
                return Bad(name, $"must have at most {MaxValue} characters");
            if (text.Contains('\0', StringComparison.Ordinal) || text.Contains('\uFFFD', StringComparison.Ordinal))
                return Bad(name, "holds what is no text");
        }
        var (from, to) = ((long?)null, (long?)null);
        if (Text("at") is { } at)
        {
            var ends = at.Split("..", StringSplitOptions.TrimEntries);
            if (
                ends.Length != 2
                || !Wire.TryParseOptionalInstant(ends[0], out from)
                || !Wire.TryParseOptionalInstant(ends[1], out to)
            )
                return Bad("at", "must be from..to, ISO 8601, either of which may be left out");
        }
        return new AuditFilter
        {
            Action = Text("action"),
            Credential = Text("credential"),
            Actor = Text("actor"),
            Route = Text("route"),
            Reason = Text("reason"),
            Address = Text("address"),
            Trigger = Text("trigger"),
            From = from,
            To = to,
        };

        string? Text(string name) => query[name].ToString().Trim() is { Length: > 0 } text ? text : null;
    }

    private static Refusal Bad(string name, string problem) =>
        Refusal.BadRequest($"{name} {problem}.", "invalid_filter");
}
