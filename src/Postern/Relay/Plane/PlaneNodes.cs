using System.Security.Cryptography;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// The states of all nodes of this server at its relays. Each node writes its state when it changes, and every 10 s, so
/// that an operator can ask any node and see them all. On SQLite there is one node, and nothing is written.
/// </summary>
internal sealed class PlaneNodes(Database database, TimeProvider time)
{
    private const long Lately = 30_000_000;

    /// <summary>How long a node is shown that no longer reports.</summary>
    private const long Shown = 3_600_000_000;
    private const int Most = 100;
    private static readonly TimeSpan SaidEvery = TimeSpan.FromSeconds(10);
    private readonly Dictionary<string, Said> _said = new(StringComparer.Ordinal);

    /// <summary>The name of this process at relays.</summary>
    public string Own { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    /// <summary>Writes the state of this node; one call at a time.</summary>
    public async Task SayAsync(IReadOnlyCollection<PlaneLink> links)
    {
        if (database.IsEmbedded)
            return;
        foreach (var link in links)
        {
            var (relay, now) = (link.Plane.Relay, link.Now);
            if (
                _said.TryGetValue(relay, out var last)
                && last.What.IsAs(now)
                && time.GetElapsedTime(last.At) < SaidEvery
            )
                continue;
            await WriteAsync(relay, JsonSerializer.Serialize(now, Wire.Json));
            _said[relay] = new Said(now, time.GetTimestamp());
        }
    }

    /// <summary>Removes this node.</summary>
    public async Task EndAsync()
    {
        if (_said.Count > 0)
            await database.WriteAsync(tx => tx.ExecuteAsync("DELETE FROM joined_node WHERE node = $1", Own));
        _said.Clear();
    }

    /// <summary>Returns the nodes that have reported about a relay, this one first.</summary>
    public async ValueTask<List<PlaneNode>> ListAsync(string relay, NodeStanding own)
    {
        var here = new PlaneNode(Own, Environment.MachineName, true, true, database.Now, own);
        if (database.IsEmbedded)
            return [here];
        var others = await database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT node, host, seen_at, said FROM joined_node
                WHERE relay = $1 AND node <> $2 AND seen_at > $3
                ORDER BY host, node LIMIT {Most}
                """,
                r => new PlaneNode(
                    r.GetString(0),
                    r.GetString(1),
                    false,
                    r.GetInt64(2) > tx.Now - Lately,
                    r.GetInt64(2),
                    JsonSerializer.Deserialize<NodeStanding>(r.GetString(3), Wire.Json)!
                ),
                relay,
                Own,
                tx.Now - Shown
            )
        );
        return [here, .. others];
    }

    public Task<int> ForgetAsync() =>
        database.WriteAsync(tx => tx.ExecuteAsync("DELETE FROM joined_node WHERE seen_at < $1", tx.Now - Shown));

    private Task<int> WriteAsync(string relay, string said) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                """
                INSERT INTO joined_node (relay, node, host, seen_at, said) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (relay, node) DO UPDATE SET seen_at = excluded.seen_at, said = excluded.said
                """,
                relay,
                Own,
                Environment.MachineName,
                tx.Now,
                said
            )
        );

    private sealed record Said(NodeStanding What, long At);
}
