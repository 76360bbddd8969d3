using System.Text.Json;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>Reads the state of sessions, and finds those that need attention, each kind by its own index.</summary>
internal static class SessionQueries
{
    /// <summary>The most rows that one look reads.</summary>
    private const int MostRead = 10_000;

    /// <summary>Returns the state of some sessions, by their ids.</summary>
    public static async ValueTask<Dictionary<string, SessionTurn>> TurnsAsync(
        Tx tx,
        string project,
        IReadOnlyList<string> ids
    )
    {
        if (ids.Count == 0)
            return [];
        var rows = await tx.ListAsync(
            $"""
            SELECT id, agent, current_run, run_wanted_until, turn_deadline, turn_seconds, turn_in_seq
            FROM session
            WHERE project = $1 AND {tx.IsAnyOf("id", "$2")}
            """,
            r => new SessionTurn(
                r.GetString(0),
                r.GetString(1),
                r.TextOrNull(2),
                r.LongOrNull(3),
                r.LongOrNull(4),
                r.GetInt64(5),
                r.GetInt64(6)
            ),
            project,
            JsonSerializer.Serialize(ids)
        );
        return rows.ToDictionary(r => r.Id, StringComparer.Ordinal);
    }

    /// <summary>
    /// Returns runs whose open turn has been silent for half of its time, and since when. At most
    /// <see cref="MostRead"/> open turns of the project are read.
    /// </summary>
    public static ValueTask<List<(string Run, long Since)>> SilentTurnsAsync(
        Tx tx,
        string project,
        bool withInternal,
        int limit
    ) =>
        tx.ListAsync(
            $"""
            SELECT current_run, turn_deadline - turn_seconds * 1000000 FROM (
              SELECT id, external_id, project, current_run, turn_deadline, turn_seconds
              FROM session
              WHERE project = $1 AND turn_deadline IS NOT NULL LIMIT $3) AS session
            WHERE current_run IS NOT NULL AND turn_deadline - turn_seconds * 500000 <= $2
              {(withInternal ? "" : "AND " + SessionStore.IsNotInternal("session.project", "session.id"))}
            ORDER BY turn_deadline LIMIT $4
            """,
            r => (r.GetString(0), r.GetInt64(1)),
            project,
            tx.Now,
            (long)MostRead,
            (long)limit
        );

    /// <summary>
    /// Returns sessions whose message waits for its agent to be registered, and since when at the latest.
    /// </summary>
    public static ValueTask<List<(string Session, long Since)>> WithoutRunAsync(
        Tx tx,
        string project,
        bool withInternal,
        int limit
    ) =>
        tx.ListAsync(
            $"""
            SELECT id, updated_at
            FROM session
            WHERE project = $1 AND run_wanted_until IS NOT NULL
              {(withInternal ? "" : "AND " + SessionStore.IsNotInternal("session.project", "session.id"))}
            ORDER BY run_wanted_until LIMIT $2
            """,
            r => (r.GetString(0), r.GetInt64(1)),
            project,
            (long)limit
        );
}
