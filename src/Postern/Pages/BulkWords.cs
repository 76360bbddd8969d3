using System.Globalization;
using Postern.Approvals;
using Postern.Bulk;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>The names of bulk actions on pages.</summary>
internal static class BulkWords
{
    /// <summary>Returns a title such as <c>Cancel 12 runs</c>.</summary>
    public static string Title(string action, long count) => $"{Verb(action)} {Things(action, count)}";

    /// <summary>Returns the text of the button: <c>Replay</c>, <c>Cancel them</c>.</summary>
    public static string Button(string action) =>
        action is DeliveryBulk.Retry or CaptureBulk.Replay ? "Replay" : Verb(action) + " them";

    public static string Verb(string action) =>
        action switch
        {
            RunBulk.Cancel => "Cancel",
            RunBulk.Retry => "Retry",
            SessionBulk.Close => "Close",
            DeliveryBulk.Retry or CaptureBulk.Replay => "Replay",
            _ => "Cancel",
        };

    /// <summary>Returns whether it can be repeated and ends nothing.</summary>
    public static bool IsHarmless(string action) => action is RunBulk.Retry or DeliveryBulk.Retry or CaptureBulk.Replay;

    public static string Things(string action, long count)
    {
        var thing = action.Split('.')[0] switch
        {
            "runs" => "run",
            "sessions" => "session",
            "captures" => "captured request",
            _ => "delivery",
        };
        var many = thing == "delivery" ? "deliveries" : thing + "s";
        return $"{Number(count)} {(count == 1 ? thing : many)}";
    }

    /// <summary>Returns the consequences, shown before the action.</summary>
    public static string Follows(string action) =>
        action switch
        {
            RunBulk.Cancel => "Each ends as cancelled, and its agent is told. This cannot be undone.",
            RunBulk.Retry => "Each starts its next attempt.",
            SessionBulk.Close => "Each takes no more messages, and its live run ends. This cannot be undone.",
            DeliveryBulk.Retry => "Each is sent again under its own id. What has arrived is not sent again.",
            CaptureBulk.Replay => "Each starts again as a new request, as places become free.",
            _ => "None of them is sent any more. They can be replayed later.",
        };

    /// <summary>Returns a filter's name for people.</summary>
    public static string Filter(string name) =>
        name switch
        {
            "failureCode" => "failure",
            "olderThan" => "older than",
            "externalId" => "name",
            "created" => "created",
            BulkFilter.Ids => "chosen",
            _ => name,
        };

    /// <summary>Returns the values of a filter for people. Ids that were chosen are counted.</summary>
    public static string Values(string name, IReadOnlyList<string> values) =>
        name == BulkFilter.Ids && values.Count > 1
            ? $"{values.Count} rows of a list"
            : Visible.Text(string.Join(", ", values));

    public static string Number(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Returns the page of one thing, or null when it has none.</summary>
    public static string? PathOf(string action, string id) =>
        action.Split('.')[0] switch
        {
            "runs" => "/runs/" + id,
            "sessions" => "/sessions/" + id,
            "deliveries" => "/deliveries/" + id,
            _ => null,
        };

    /// <summary>Returns those of a list's phases that can be cancelled; null when there are none.</summary>
    public static string? Live(IReadOnlyList<string> shown) => Of(shown, p => !Phase.IsTerminal(p));

    /// <summary>Returns those of a list's phases that can be retried; null when there are none.</summary>
    public static string? Failed(IReadOnlyList<string> shown) => Of(shown, p => p is Phase.Failed or Phase.TimedOut);

    /// <summary>Returns the address of the confirmation for replaying dead deliveries with the same answer.</summary>
    public static string ReplayQuery(DeadSum sum) =>
        Query([
            ("action", DeliveryBulk.Retry),
            ("status", Delivery.Dead),
            ("endpoint", WebhookEndpoints.Shown(sum.Endpoint)),
            ("answer", sum.Answer),
            ("created", $"{Wire.IsoMicroseconds(sum.First)}..{Wire.IsoMicroseconds(sum.Last)}"),
        ]);

    /// <summary>Returns names and values as a query. Empty values are left out.</summary>
    public static string Query(params IReadOnlyList<(string Name, string? Value)> given) =>
        string.Join(
            '&',
            given
                .Where(g => !string.IsNullOrEmpty(g.Value))
                .Select(g => Uri.EscapeDataString(g.Name) + "=" + Uri.EscapeDataString(g.Value!))
        );

    private static string? Of(IReadOnlyList<string> shown, Func<string, bool> fits)
    {
        var phases = Phase.All.Where(p => fits(p) && (shown.Count == 0 || shown.Contains(p))).ToList();
        return phases.Count == 0 ? null : string.Join(',', phases);
    }
}
