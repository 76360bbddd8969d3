using Npgsql;

namespace Postern.Storage;

/// <summary>
/// The safety net under the hints: it reads the rows of all listeners, a thousand with each statement, and calls the
/// listeners whose row has changed since the last time. Its cost hardly grows with the number of listeners.
/// </summary>
internal sealed class RowPoller(NpgsqlDataSource source, Changes changes)
{
    private const int AtOnce = 1_000;
    private const long NotThere = 0;

    private const string OfSession =
        "hashtextextended(concat_ws(',', s.in_next, s.out_next, s.message_next, s.merges, s.closed_at, s.expiry_told, "
        + "s.current_run, s.current_attempt, s.updated_at), 0)";

    private static string SqlOf(WatchedKind kind) =>
        kind switch
        {
            WatchedKind.Session => $"""
                SELECT s.project, s.id, {OfSession}
                FROM unnest($1::text[], $2::text[]) AS k(project, id)
                JOIN session s ON s.project = k.project AND s.id = k.id
                """,
            WatchedKind.SessionNamed => $"""
                SELECT s.project, s.external_id, {OfSession}
                FROM unnest($1::text[], $2::text[]) AS k(project, id)
                JOIN session s ON s.project = k.project AND s.external_id = k.id
                """,
            WatchedKind.Run => """
                SELECT r.project, r.id, hashtextextended(
                  concat_ws(',', r.event_seq, r.attempt, r.status, r.ended_at, r.updated_at, r.callback_outcome), 0)
                FROM unnest($1::text[], $2::text[]) AS k(project, id)
                JOIN run r ON r.project = k.project AND r.id = k.id
                """,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };

    /// <summary>Looks at everything once.</summary>
    public async Task PollAsync(CancellationToken stop)
    {
        foreach (var kind in Enum.GetValues<WatchedKind>())
        {
            foreach (var batch in changes.Watched(kind).Chunk(AtOnce))
            {
                var versions = await ReadAsync(kind, batch, stop);
                foreach (var watched in batch)
                    watched.Seen(versions.GetValueOrDefault((watched.Row.Project, watched.Row.Id), NotThere));
            }
        }
    }

    private async Task<Dictionary<(string, string), long>> ReadAsync(
        WatchedKind kind,
        IReadOnlyList<Changes.IWatched> batch,
        CancellationToken stop
    )
    {
        await using var command = source.CreateCommand(SqlOf(kind));
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. batch.Select(w => w.Row.Project)] });
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. batch.Select(w => w.Row.Id)] });
        await using var reader = await command.ExecuteReaderAsync(stop);
        var versions = new Dictionary<(string, string), long>();
        while (await reader.ReadAsync(stop))
            versions[(reader.GetString(0), reader.GetString(1))] = reader.GetInt64(2);
        return versions;
    }
}
