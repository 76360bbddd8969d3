using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The rows of timelines. Numbers come from the run's row, under its lock: dense from 1, with one jump after a restore.
/// </summary>
internal sealed class RunEvents(Database database)
{
    /// <summary>The number of events of a run after which refused reports are no longer stored.</summary>
    public const long MaxKeptRefusals = 2000;

    public static void Insert(Tx tx, string project, string run, RunEvent e)
    {
        tx.Notify(run);
        tx.Notify(Topics.List(project, "runs"));
        tx.Queue(
            """
            INSERT INTO run_event (project, run, seq, at, type, attempt, actor, credential, from_status, to_status,
              event_id, correlation_id, occurred_at, accepted, code, detail, digest)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            """,
            project,
            run,
            e.Seq,
            e.At,
            e.Type,
            e.Attempt,
            e.By.Id,
            e.By.Credential,
            e.From,
            e.To,
            e.EventId,
            e.CorrelationId,
            e.OccurredAt,
            e.Accepted ? 1L : 0L,
            e.Code,
            e.Detail,
            e.Digest
        );
    }

    /// <summary>Returns who started some runs, by run.</summary>
    public static async ValueTask<Dictionary<string, Actor>> StartersAsync(
        Tx tx,
        string project,
        IReadOnlyList<string> runs
    )
    {
        if (runs.Count == 0)
            return [];
        var found = await tx.ListAsync(
            $"""
            SELECT run, credential, actor FROM run_event
            WHERE project = $1 AND {tx.IsAnyOf("run", "$2")} AND seq = 1
            """,
            r => (Run: r.GetString(0), By: new Actor(r.GetString(1), r.GetString(2))),
            project,
            JsonSerializer.Serialize(runs)
        );
        return found.ToDictionary(f => f.Run, f => f.By, StringComparer.Ordinal);
    }

    /// <summary>Returns the ids of the runs that an actor started, newest first.</summary>
    public ValueTask<List<string>> StartedByAsync(string project, string actor, int most) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT run FROM run_event
                WHERE project = $1 AND actor = $2 AND seq = 1
                ORDER BY run DESC LIMIT $3
                """,
                r => r.GetString(0),
                project,
                actor,
                (long)most
            )
        );

    /// <summary>
    /// Adds an event that changes nothing else of the run. The caller holds the run's row, or needs no order with its
    /// changes.
    /// </summary>
    public static async ValueTask AddAsync(Tx tx, string project, string run, Func<long, RunEvent> of)
    {
        // The statement locks the row, so two events at the same time get two numbers.
        if (
            await tx.FirstAsync(
                "UPDATE run SET event_seq = event_seq + 1 WHERE project = $1 AND id = $2 RETURNING event_seq",
                r => (long?)r.GetInt64(0),
                project,
                run
            )
            is not { } seq
        )
            return;
        Insert(tx, project, run, of(seq));
    }

    /// <summary>
    /// Returns the digest under which a report was accepted, or null when there is none with this id.
    /// </summary>
    public static Ahead<byte[]?> FindAcceptedAhead(Tx tx, string project, string run, string eventId) =>
        tx.FirstAhead(
            "SELECT digest FROM run_event WHERE project = $1 AND run = $2 AND event_id = $3 AND accepted = 1",
            r => r.Bytes(0),
            project,
            run,
            eventId
        );

    /// <summary>Returns the number of the newest event; 0 when there is none.</summary>
    public ValueTask<long> LastAsync(string project, string run) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT coalesce(max(seq), 0) FROM run_event WHERE project = $1 AND run = $2",
                r => r.GetInt64(0),
                project,
                run
            )
        );

    /// <summary>Returns whether so many events are stored that further refusals are not.</summary>
    public static async ValueTask<bool> IsFullAsync(Tx tx, string project, string run) =>
        await tx.FirstAsync(
            "SELECT COUNT(*) FROM (SELECT 1 FROM run_event WHERE project = $1 AND run = $2 LIMIT $3) kept",
            r => r.GetInt64(0),
            project,
            run,
            MaxKeptRefusals
        ) >= MaxKeptRefusals;

    public ValueTask<List<RunEvent>> AfterAsync(string project, string run, long after, int limit) =>
        database.ReadAsync(tx => AfterAsync(tx, project, run, after, limit));

    public static ValueTask<List<RunEvent>> AfterAsync(Tx tx, string project, string run, long after, int limit) =>
        tx.ListAsync(
            $"""
            SELECT {Row<RunEvent>.Columns} FROM run_event
            WHERE project = $1 AND run = $2 AND seq > $3 ORDER BY seq LIMIT $4
            """,
            Row<RunEvent>.Read,
            project,
            run,
            after,
            limit
        );

    /// <summary>Counts the events between two numbers, up to a limit.</summary>
    public static ValueTask<long> CountAsync(Tx tx, string project, string run, long from, long to, int most) =>
        tx.FirstAsync(
            """
            SELECT COUNT(*) FROM (
              SELECT 1 FROM run_event WHERE project = $1 AND run = $2 AND seq > $3 AND seq < $4 LIMIT $5) AS counted
            """,
            r => r.GetInt64(0),
            project,
            run,
            from,
            to,
            (long)most
        );

    /// <summary>Returns the newest events, oldest first.</summary>
    public static async ValueTask<List<RunEvent>> NewestAsync(Tx tx, string project, string run, int limit)
    {
        var found = await tx.ListAsync(
            $"""
            SELECT {Row<RunEvent>.Columns} FROM run_event
            WHERE project = $1 AND run = $2 ORDER BY seq DESC LIMIT $3
            """,
            Row<RunEvent>.Read,
            project,
            run,
            limit
        );
        found.Reverse();
        return found;
    }

    public static ValueTask<List<RunAttempt>> AttemptsAsync(Tx tx, string project, string run) =>
        tx.ListAsync(
            """
            SELECT attempt, status, phase, reason, failure_code, failure_message, failed_stage, began_at, ended_at
            FROM run_attempt
            WHERE project = $1 AND run = $2
            ORDER BY attempt LIMIT 1000
            """,
            r => new RunAttempt(
                r.GetInt64(0),
                r.GetString(1),
                r.GetString(2),
                r.TextOrNull(3),
                r.IsDBNull(4) ? null : new Failure(r.GetString(4), r.TextOrNull(5), r.TextOrNull(6)),
                Wire.Iso(r.GetInt64(7)),
                Wire.Iso(r.GetInt64(8))
            ),
            project,
            run
        );

    /// <summary>Returns the newest event of a type, or null.</summary>
    public static ValueTask<RunEvent?> NewestOfAsync(Tx tx, string project, string run, string type) =>
        tx.FirstAsync(
            $"""
            SELECT {Row<RunEvent>.Columns}
            FROM run_event
            WHERE project = $1 AND run = $2 AND type = $3 AND accepted = 1
            ORDER BY seq DESC LIMIT 1
            """,
            Row<RunEvent>.Read,
            project,
            run,
            type
        );

    public static ValueTask<int> KeepAttemptAsync(Tx tx, Run run, long endedAt) =>
        tx.ExecuteAsync(
            """
            INSERT INTO run_attempt (project, run, attempt, status, phase, reason, failure_code, failure_message,
              failed_stage, began_at, ended_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """,
            run.Project,
            run.Id,
            run.Attempt,
            run.Status,
            run.Phase,
            run.Reason,
            run.FailureCode,
            run.FailureMessage,
            run.FailedStage,
            run.AttemptAt,
            endedAt
        );
}
