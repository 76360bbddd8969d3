using System.Globalization;
using Postern.Access;

namespace Postern.Pages;

/// <summary>Requests that a trigger's URL refused for one reason.</summary>
/// <param name="Reason">As the audit has it, the newest where it holds a number.</param>
/// <param name="Times">How many.</param>
/// <param name="LastAt">When the newest came, microseconds; of those that were counted together, the first.</param>
/// <param name="From">From where, the newest first; a few.</param>
/// <param name="Entry">The id of the newest row of the audit.</param>
internal sealed record TurnedAway(string Reason, long Times, long LastAt, string From, string Entry)
{
    private const int MostAddresses = 3;

    /// <summary>The explanation, which the sender does not get.</summary>
    public string Explanation =>
        Reason switch
        {
            "no_signature" => "no signature",
            "wrong_signature" => "wrong signature: made with another secret, or over another body",
            "retired_secret" => "signed with a secret that was replaced",
            "paused" => "rightly signed, but the trigger is paused",
            "rate_limited" or "rate_limited_trigger" => "faster than the rate allows",
            "in_flight_limit" => "all its places were taken",
            "too_many_failures" => "refused too often before, from the same address",
            _ when SecondsOf(Reason) is { } seconds => Reason.EndsWith("_ago", StringComparison.Ordinal)
                ? $"signed {seconds} s ago: too long, so it may be an old message sent again, or a slow clock"
                : $"signed {seconds} s ahead of this server's clock",
            _ => Reason.Replace('_', ' '),
        };

    /// <summary>Groups refusals by reason, the newest first.</summary>
    public static IReadOnlyList<TurnedAway> Of(IEnumerable<AuditEntry> entries) =>
        [
            .. entries
                .Where(e => e.IsRefusal && e.Row.Reason is not null)
                .GroupBy(e => KindOf(e.Row.Reason!), StringComparer.Ordinal)
                .Select(g =>
                {
                    var rows = g.OrderByDescending(e => e.Id, StringComparer.Ordinal).ToList();
                    var from = rows.Select(e => e.Row.Address).OfType<string>().Distinct().Take(MostAddresses);
                    return new TurnedAway(
                        rows[0].Row.Reason!,
                        rows.Sum(e => e.Times),
                        rows[0].At,
                        string.Join(", ", from),
                        rows[0].Id
                    );
                })
                .OrderByDescending(t => t.LastAt),
        ];

    /// <summary>Reasons that differ only in a number are one.</summary>
    private static string KindOf(string reason) =>
        SecondsOf(reason) is null ? reason : reason[(reason.LastIndexOf('_') + 1)..];

    private static long? SecondsOf(string reason) =>
        reason.Split('_') is ["signed", var number, "s", "ago" or "ahead"]
        && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? seconds
            : null;
}
