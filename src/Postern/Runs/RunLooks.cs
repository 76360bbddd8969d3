using System.Text.Json;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>Runs that people should look at, each kind found in an index of its own.</summary>
internal static class RunLooks
{
    /// <summary>Rows that one look goes through at most.</summary>
    private const int MostLooked = 10_000;

    /// <summary>Some runs by their ids; those that there are.</summary>
    public static ValueTask<List<Run>> FindAllAsync(Tx tx, string project, IReadOnlyList<string> ids) =>
        ids.Count == 0
            ? ValueTask.FromResult<List<Run>>([])
            : tx.ListAsync(
                $"SELECT {Row<Run>.Columns} FROM run WHERE project = $1 AND {tx.IsAnyOf("id", "$2")}",
                Row<Run>.Read,
                project,
                JsonSerializer.Serialize(ids)
            );

    /// <summary>What waits for a worker of an agent, and since when; the oldest first.</summary>
    /// <param name="tx">Where it is read.</param>
    /// <param name="project">Whose.</param>
    /// <param name="agent">Its slug.</param>
    /// <param name="shown">A condition on the table that it must fulfil; null: none.</param>
    /// <param name="limit">So many at most.</param>
    public static ValueTask<List<(string Id, long Since)>> ClaimableAsync(
        Tx tx,
        string project,
        string agent,
        string? shown,
        int limit
    ) =>
        tx.ListAsync(
            $"""
            SELECT id, claim_at
            FROM run
            WHERE project = $1 AND agent = $2 AND claim_at IS NOT NULL AND claim_until IS NULL AND approval IS NULL
              AND phase <> 'paused' {(shown is null ? "" : "AND " + shown)}
            ORDER BY claim_at LIMIT $3
            """,
            r => (r.GetString(0), r.GetInt64(1)),
            project,
            agent,
            (long)limit
        );

    /// <summary>
    /// Runs without a session that their agent has, and of which nothing was heard for half of the time that it may say
    /// nothing; and since when. Of those that end next, <see cref="MostLooked"/> are looked at.
    /// </summary>
    public static ValueTask<List<(string Id, long Since)>> SilentAsync(
        Tx tx,
        string project,
        string? shown,
        int limit
    ) =>
        tx.ListAsync(
            $"""
            SELECT id, updated_at FROM (
              SELECT id, updated_at, phase, silent_seconds, queued_seconds, approval, due_at, waits_at, claim_at
              FROM run
              WHERE project = $1 AND ended_at IS NULL AND dispatched = 1 AND session IS NULL
                {(shown is null ? "" : "AND " + shown)}
              ORDER BY deadline_at LIMIT $3) AS given
            WHERE approval IS NULL AND due_at IS NULL AND waits_at IS NULL AND claim_at IS NULL
              AND (phase = 'running' AND updated_at + silent_seconds * 500000 <= $2
                OR phase = 'queued' AND updated_at + queued_seconds * 500000 <= $2)
            ORDER BY updated_at LIMIT $4
            """,
            r => (r.GetString(0), r.GetInt64(1)),
            project,
            tx.Now,
            (long)MostLooked,
            (long)limit
        );
}
