using System.Text.RegularExpressions;

namespace Postern.Storage;

/// <summary>
/// The order of tables in which a transaction locks rows. Transactions that keep it cannot wait for each other, on any
/// number of nodes. ARCHITECTURE.md explains the order; this class checks it. In debug builds, and so in all tests, a
/// transaction that breaks the order throws. The check reads the text of the statements, so nobody has to remember it.
///
/// Rows that are reached only under the lock of their owner need no place in it (<see cref="Owned"/>). The caller
/// chooses the order of two rows of one table.
/// </summary>
internal sealed partial class LockOrder
{
    /// <summary>
    /// The tables, from first to last. Tables in one line have no order among each other and are never locked together.
    /// </summary>
    internal static readonly string[][] Order =
    [
        ["console_once"],
        ["project"],
        ["meta"],
        ["capture_key", "run_request", "used_token", "console_link"],
        ["workflow"],
        ["session"],
        ["run"],
        ["agent"],
        ["approval"],
        ["capture"],
        ["agent_trigger"],
        ["removed_trigger"],
        ["callback_secret", "callback_token_secret", "approval_service"],
        ["api_key", "revocation", "console_session", "key_address"],
        ["webhook_endpoint"],
        ["relay_code"],
        ["relay_plane"],
        ["relay_page_room"],
        ["bulk_job"],
        ["bulk_preview"],
    ];

    /// <summary>
    /// Rows that are reached under the lock of their session, run, chain or trigger, and written by nobody else.
    /// </summary>
    private static readonly HashSet<string> Owned = new(StringComparer.Ordinal)
    {
        "record",
        "message",
        "message_piece",
        "message_draft",
        "participant",
        "run_data",
        "run_event",
        "run_attempt",
        "delivery",
        "delivery_attempt",
        "event",
        "audit",
        "bulk_skip",
        // Rows of one person, one statement at a time.
        "approval_aside",
        // One statement by itself, about once a minute.
        "agent_asked",
        // Rows of the joined relays: one statement each, and the audit.
        "joined_relay",
        "joined_page",
        "joined_node",
        "relay_envelope",
        // The messages between nodes (PostgresRelay): one statement each.
        "node",
        "hint_log",
        // Only the process that counted a row writes it.
        "metric",
        // Written under the lock of their plane, or by one statement each.
        "relay_connection",
        "relay_request",
        "relay_page",
        "relay_network",
        "relay_nonce",
        "relay_key",
    };

    private static readonly Dictionary<string, int> Ranks = Order
        .SelectMany((tables, rank) => tables.Select(table => (table, rank)))
        .ToDictionary(t => t.table, t => t.rank, StringComparer.Ordinal);

    private readonly HashSet<string> _held = new(StringComparer.Ordinal);
    private string? _last;
    private string? _session;

    /// <summary>All tables that the order knows.</summary>
    internal static IEnumerable<string> Tables => Ranks.Keys.Concat(Owned);

    /// <summary>Checks a statement before it runs.</summary>
    /// <exception cref="InvalidOperationException">
    /// The statement locks a table that must come earlier, or a second session: two sessions have no order.
    /// </exception>
    public void Check(string sql, object?[] args)
    {
        foreach (var table in LocksOf(sql))
        {
            if (table == "session" && Id().Match(sql) is { Success: true } id)
            {
                var session = args[int.Parse(id.Groups["number"].Value) - 1]?.ToString();
                if (_session is not null && session != _session)
                    throw new InvalidOperationException($"A transaction that holds a session locks another: {sql}");
                _session = session;
            }
            if (Owned.Contains(table) || !_held.Add(table))
                continue;
            if (!Ranks.TryGetValue(table, out var rank))
                throw new InvalidOperationException($"The table {table} has no place in the order of locks.");
            if (_last is not null && rank < Ranks[_last])
            {
                throw new InvalidOperationException(
                    $"A transaction that holds {_last} locks {table}, which comes first: {sql}"
                );
            }
            if (_last is null || rank > Ranks[_last])
                _last = table;
        }
    }

    /// <summary>
    /// Returns the tables whose rows a statement waits for and then holds, in the order of its text. A plain insert
    /// waits for nobody, unless it names a conflict. A claim that skips locked rows does not wait either.
    /// </summary>
    internal static IEnumerable<string> LocksOf(string sql)
    {
        if (sql.Contains("SKIP LOCKED", StringComparison.Ordinal))
            yield break;
        foreach (Match match in Locking().Matches(sql))
        {
            var table = match.Groups["table"].Value;
            if (table.Length > 0)
                yield return table;
        }
    }

    /// <summary>The parameter that names the one row, not that of a joined table.</summary>
    [GeneratedRegex(@"(?<![\w.])id = \$(?<number>\d+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Id();

    [GeneratedRegex(
        """
            (?<!FOR\s|DO\s)\bUPDATE\s+(?<table>\w+)\b(?!\.)
            | \bDELETE\s+FROM\s+(?<table>\w+)\b(?!\.)
            | \bINSERT\s+INTO\s+(?<table>\w+)\b(?=[^;]*\bON\s+CONFLICT\b)
            | \bFROM\s+(?<table>\w+)(?=(?:(?!\bFROM\b)[^;])*\bFOR\s+(?:UPDATE|KEY\s+SHARE)\b)
            """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex Locking();
}
