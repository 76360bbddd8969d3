using System.Text.Json;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>Finds runs that need attention, each kind by its own index.</summary>
internal static class RunQueries
{
    /// <summary>The most rows that one look reads.</summary>
    private const int MostRead = 10_000;

    /// <summary>Returns those of some runs, by id, that exist.</summary>
    public static ValueTask<List<Run>> FindAllAsync(Tx tx, string project, IReadOnlyList<string> ids) =>
        ids.Count == 0
            ? ValueTask.FromResult<List<Run>>([])
            : tx.ListAsync(
                $"SELECT {Row<Run>.Columns} FROM run WHERE project = $1 AND {tx.IsAnyOf("id", "$2")}",
                Row<Run>.Read,
                project,
                JsonSerializer.Serialize(ids)
            );

    /// <summary>Returns runs that wait for a worker of an agent, and since when; the oldest first.</summary>
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
    /// Returns runs without a session that were silent for half of the time that they may be, and since when. At most
    /// <see cref="MostRead"/> are read, those with the earliest deadline.
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
            (long)MostRead,
            (long)limit
        );
}
