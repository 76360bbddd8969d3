using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Postern.House;

/// <summary>What uses what: folders, tables, and the names of databases.</summary>
internal static partial class Edges
{
    /// <summary>From what stands lowest to what may use all: a folder uses those before it.</summary>
    private static readonly string[] Order =
    [
        "Storage",
        "Settings",
        "Http",
        "Access",
        "Live",
        "Deliveries",
        "Agents",
        "Runs",
        "Sessions",
        "Triggers",
        "Dispatch",
        "Approvals",
        "History",
        "Pages",
        "Hosting",
    ];

    private static readonly Dictionary<string, string> Owners = new(StringComparer.Ordinal)
    {
        ["project"] = "Access",
        ["api_key"] = "Access",
        ["revocation"] = "Access",
        ["used_token"] = "Access",
        ["audit"] = "Access",
        ["callback_secret"] = "Access",
        ["callback_token_secret"] = "Access",
        ["approval_service"] = "Access",
        ["console_session"] = "Access",
        ["console_once"] = "Pages",
        ["console_link"] = "Access",
        ["agent"] = "Agents",
        ["agent_asked"] = "Agents",
        ["session"] = "Sessions",
        ["record"] = "Sessions",
        ["message"] = "Sessions",
        ["message_piece"] = "Sessions",
        ["message_draft"] = "Sessions",
        ["participant"] = "Sessions",
        ["run"] = "Runs",
        ["run_data"] = "Runs",
        ["run_event"] = "Runs",
        ["run_attempt"] = "Runs",
        ["run_request"] = "Runs",
        ["workflow"] = "Runs",
        ["event"] = "Deliveries",
        ["webhook_endpoint"] = "Deliveries",
        ["delivery"] = "Deliveries",
        ["delivery_attempt"] = "Deliveries",
        ["agent_trigger"] = "Triggers",
        ["capture"] = "Triggers",
        ["capture_key"] = "Triggers",
        ["approval"] = "Approvals",
    };

    public static IEnumerable<(string What, string Value)> Measure(List<Source> product)
    {
        var features = product.Where(source => Order.Contains(source.Folder)).ToList();
        var upward = features.SelectMany(Upward).ToList();
        yield return ("uses of a folder that stands above, by files", Summed(upward));
        var foreign = features.Where(s => s.Folder is not ("Storage" or "Hosting")).SelectMany(Foreign).ToList();
        yield return ("statements on a table of another folder", Summed(foreign));
        var names = features
            .Where(s => s.Folder is not ("Storage" or "Hosting" or "Settings"))
            .Count(s =>
                s.Lines.Any(line =>
                    !line.TrimStart().StartsWith("//", StringComparison.Ordinal) && Database().IsMatch(line)
                )
            );
        yield return ("files that name a database, outside Storage and the command line", $"{names}");
    }

    private static IEnumerable<string> Upward(Source source)
    {
        var here = Array.IndexOf(Order, source.Folder);
        foreach (var use in source.Tree.Usings)
        {
            var parts = use.Name?.ToString().Split('.') ?? [];
            if (parts is ["Postern", var used] && Array.IndexOf(Order, used) > here)
                yield return $"{source.Folder} → {used}";
        }
    }

    private static IEnumerable<string> Foreign(Source source)
    {
        var texts = source
            .Tree.DescendantTokens()
            .Where(token => token.Parent is LiteralExpressionSyntax or InterpolatedStringTextSyntax);
        foreach (var text in texts)
        foreach (Match named in Table().Matches(text.ValueText))
        {
            if (Owners.TryGetValue(named.Groups[1].Value, out var owner) && owner != source.Folder)
                yield return $"{source.Folder} → {named.Groups[1].Value}";
        }
    }

    private static string Summed(List<string> found) =>
        found.Count == 0
            ? "0"
            : $"{found.Count}: "
                + string.Join(
                    ", ",
                    found.CountBy(f => f).OrderByDescending(f => f.Value).Select(f => $"{f.Key} {f.Value}")
                );

    [GeneratedRegex(@"\b(?:FROM|INTO|UPDATE|JOIN) (\w+)\b")]
    private static partial Regex Table();

    [GeneratedRegex("Sqlite|Postgres|Npgsql")]
    private static partial Regex Database();
}
