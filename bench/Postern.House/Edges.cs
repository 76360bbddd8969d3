using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Postern.House;

/// <summary>What uses what: folders, tables, and the names of databases.</summary>
internal static partial class Edges
{
    /// <summary>From the lowest folder to the one that may use all, as in TidyTests.</summary>
    private static readonly string[] Order =
    [
        "Storage",
        "Settings",
        "Http",
        "Access",
        "Live",
        "Metrics",
        "Deliveries",
        "Agents",
        "Runs",
        "Sessions",
        "Triggers",
        "Dispatch",
        "Approvals",
        "History",
        "Relay",
        "Bulk",
        "Pages",
        "Hosting",
    ];

    /// <summary>The tables of each folder, as in TidyTests.</summary>
    private static readonly Dictionary<string, string> Owners = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["Storage"] = "meta node hint_log",
        ["Access"] =
            "project api_key revocation used_token audit callback_secret callback_token_secret approval_service "
            + "console_session key_address console_link",
        ["Metrics"] = "metric",
        ["Deliveries"] = "event webhook_endpoint delivery delivery_attempt",
        ["Agents"] = "agent agent_asked",
        ["Runs"] = "run run_data run_event run_attempt run_request workflow",
        ["Sessions"] = "session record message message_piece message_draft participant",
        ["Triggers"] = "agent_trigger capture capture_key",
        ["Approvals"] = "approval approval_aside",
        ["Bulk"] = "bulk_preview bulk_job bulk_skip",
        ["Pages"] = "console_once",
        ["Relay"] =
            "joined_relay joined_page relay_envelope relay_plane relay_code relay_nonce relay_connection relay_request "
            + "relay_page relay_page_room relay_network relay_key",
    }
        .SelectMany(folder => folder.Value.Split(' ').Select(table => (Table: table, Folder: folder.Key)))
        .ToDictionary(owned => owned.Table, owned => owned.Folder, StringComparer.Ordinal);

    public static IEnumerable<(string What, string Value)> Measure(List<Source> product)
    {
        // A folder or a table that is not listed would count as faultless.
        var features = product.Where(source => source.Folder.Length > 0).ToList();
        if (features.FirstOrDefault(source => !Order.Contains(source.Folder)) is { } unknown)
            throw new InvalidOperationException($"The folder {unknown.Folder} has no place in the order of folders.");
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
