using Npgsql;

namespace Postern.Storage;

/// <summary>
/// The statements about <c>node</c> and <c>hint_log</c>: each is one round trip and its own transaction.
/// </summary>
/// <param name="source">Connections of the relay's own.</param>
/// <param name="node">This node.</param>
internal sealed class HintLog(NpgsqlDataSource source, string node)
{
    public const string Link = "postern";

    /// <summary>
    /// The most hints of one node that one read returns. When there are more, it is read again at once.
    /// </summary>
    public const int MostRead = 500;

    private const string Clock = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

    /// <summary>How long a hint is kept, and a node that is gone, in microseconds.</summary>
    private const string KeptFor = "120000000";

    private const int DeletedAtOnce = 5_000;

    /// <summary>Tells the other nodes: a row, and a notification with its commit.</summary>
    public Task PublishAsync(long number, string topics, string notification, CancellationToken cancel) =>
        ExecuteAsync(
            $"""
            INSERT INTO hint_log (node, number, at, topics) VALUES ($1, $2, {Clock}, $3)
            RETURNING pg_notify('{Link}', $4)
            """,
            cancel,
            Text(node),
            Number(number),
            Text(topics),
            Text(notification)
        );

    /// <summary>
    /// Renews this node's row, and notifies this node itself: the echo shows whether notifications arrive.
    /// </summary>
    public Task BeatAsync(long told, CancellationToken cancel) =>
        ExecuteAsync(
            $"""
            INSERT INTO node (id, told, seen_at) VALUES ($1, $2, {Clock})
            ON CONFLICT (id) DO UPDATE SET told = $2, seen_at = {Clock}
            RETURNING pg_notify('{Link}', $1)
            """,
            cancel,
            Text(node),
            Number(told)
        );

    /// <summary>Returns each other node, with the hints behind its cursor, ordered by node and number.</summary>
    public async Task<List<HeardHint>> ReadAsync((string[] Nodes, long[] Numbers) cursors, CancellationToken cancel)
    {
        await using var command = source.CreateCommand(
            $"""
            SELECT n.id, n.told, {Clock} - n.seen_at, h.number, h.topics
            FROM node n
            LEFT JOIN unnest($2::text[], $3::bigint[]) AS c(node, number) ON c.node = n.id
            LEFT JOIN LATERAL (
              SELECT l.number, l.topics FROM hint_log l
              WHERE l.node = n.id AND l.number > COALESCE(c.number, n.told)
              ORDER BY l.number LIMIT {MostRead}) AS h ON true
            WHERE n.id <> $1
            ORDER BY n.id, h.number
            """
        );
        command.Parameters.Add(Text(node));
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = cursors.Nodes });
        command.Parameters.Add(new NpgsqlParameter<long[]> { TypedValue = cursors.Numbers });
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var read = new List<HeardHint>();
        while (await reader.ReadAsync(cancel))
        {
            read.Add(
                new HeardHint(
                    reader.GetString(0),
                    reader.GetInt64(1),
                    reader.GetInt64(2),
                    reader.IsDBNull(3) ? null : reader.GetInt64(3),
                    reader.IsDBNull(4) ? null : reader.GetString(4)
                )
            );
        }
        return read;
    }

    /// <summary>Deletes hints that are too old, some rows at a time, and nodes that are gone.</summary>
    public async Task CleanAsync(CancellationToken cancel)
    {
        var deleted = DeletedAtOnce;
        while (deleted == DeletedAtOnce)
        {
            deleted = await ExecuteAsync(
                $"""
                DELETE FROM hint_log WHERE ctid = ANY(ARRAY(
                  SELECT ctid FROM hint_log WHERE at < {Clock} - {KeptFor} LIMIT {DeletedAtOnce}))
                """,
                cancel
            );
        }
        await ExecuteAsync($"DELETE FROM node WHERE seen_at < {Clock} - {KeptFor}", cancel);
    }

    private async Task<int> ExecuteAsync(string sql, CancellationToken cancel, params NpgsqlParameter[] parameters)
    {
        await using var command = source.CreateCommand(sql);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteNonQueryAsync(cancel);
    }

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value };

    private static NpgsqlParameter<long> Number(long value) => new() { TypedValue = value };
}
