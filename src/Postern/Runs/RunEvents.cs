using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>Who did something to a run: a credential's kind and id, or the server itself.</summary>
internal sealed record Doer(string Credential, string Actor)
{
    public static Doer Server { get; } = new("server", "server");
}

/// <summary>One row of a run's timeline.</summary>
/// <param name="At">When the server took it.</param>
/// <param name="OccurredAt">When the reporter says that it happened.</param>
/// <param name="Accepted">False: it changed nothing, and <paramref name="Code"/> says why.</param>
/// <param name="Detail">A JSON object, or null.</param>
/// <param name="Digest">Of the content of an accepted report, for its repeats.</param>
internal sealed record RunEvent(
    long Seq, string Type, long At, long Attempt, Doer By, string? From = null, string? To = null, string? EventId = null, string? CorrelationId = null, long? OccurredAt = null,
    bool Accepted = true, string? Code = null, string? Detail = null, byte[]? Digest = null);

/// <summary>What of a run is large: input, output, artifacts. JSON texts, as bytes.</summary>
internal static class RunData
{
    public const string Input = "input";
    public const string Output = "output";
    public const string Artifacts = "artifacts";

    public static ValueTask<byte[]?> FindAsync(Tx tx, string project, string run, string name) =>
        tx.FirstAsync("SELECT body FROM run_data WHERE project = $1 AND run = $2 AND name = $3", r => r.Bytes(0), project, run, name);

    public static async ValueTask<Dictionary<string, byte[]>> AllAsync(Tx tx, string project, string run) =>
        (await tx.ListAsync("SELECT name, body FROM run_data WHERE project = $1 AND run = $2 LIMIT 10", r => (r.GetString(0), r.Bytes(1)), project, run)).ToDictionary(d => d.Item1, d => d.Item2, StringComparer.Ordinal);

    public static ValueTask<int> PutAsync(Tx tx, string project, string run, string name, byte[] body) =>
        tx.ExecuteAsync("INSERT INTO run_data (project, run, name, body) VALUES ($1, $2, $3, $4) ON CONFLICT (project, run, name) DO UPDATE SET body = excluded.body", project, run, name, body);
}

/// <summary>
/// The timelines' rows. Numbers come from the run's row, under its lock: dense from 1, and after a restore once far on.
/// </summary>
internal sealed class RunEvents(Database database)
{
    /// <summary>Events of a run after which refused reports are still refused but no longer kept.</summary>
    public const long MaxKeptRefusals = 2000;

    private const string Columns = "seq, type, at, attempt, credential, actor, from_status, to_status, event_id, correlation_id, occurred_at, accepted, code, detail";

    public static ValueTask<int> InsertAsync(Tx tx, string project, string run, RunEvent e)
    {
        tx.Touch(run);
        return tx.ExecuteAsync(
            """
            INSERT INTO run_event (project, run, seq, at, type, attempt, actor, credential, from_status, to_status, event_id, correlation_id, occurred_at, accepted, code, detail, digest)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            """,
            project, run, e.Seq, e.At, e.Type, e.Attempt, e.By.Actor, e.By.Credential, e.From, e.To, e.EventId, e.CorrelationId, e.OccurredAt, e.Accepted ? 1L : 0L, e.Code, e.Detail, e.Digest);
    }

    /// <summary>Adds an event that changes nothing else of the run. The caller holds the run's row or needs no order with its changes.</summary>
    public static async ValueTask AddAsync(Tx tx, string project, string run, Func<long, RunEvent> of)
    {
        // The statement locks the row: two who add at once get two numbers.
        if (await tx.FirstAsync("UPDATE run SET event_seq = event_seq + 1 WHERE project = $1 AND id = $2 RETURNING event_seq", r => (long?)r.GetInt64(0), project, run) is not { } seq) return;
        await InsertAsync(tx, project, run, of(seq));
    }

    /// <summary>The digest under which a report was accepted; null when none was under this id.</summary>
    public static ValueTask<byte[]?> FindAcceptedAsync(Tx tx, string project, string run, string eventId) =>
        tx.FirstAsync("SELECT digest FROM run_event WHERE project = $1 AND run = $2 AND event_id = $3 AND accepted = 1", r => r.Bytes(0), project, run, eventId);

    /// <summary>The number of the newest; 0 where there is none.</summary>
    public ValueTask<long> LastAsync(string project, string run) => database.ReadAsync(tx => tx.FirstAsync(
        "SELECT coalesce(max(seq), 0) FROM run_event WHERE project = $1 AND run = $2", r => r.GetInt64(0), project, run));

    /// <summary>Whether so much is kept that no more refusals are.</summary>
    public static async ValueTask<bool> IsFullAsync(Tx tx, string project, string run) =>
        await tx.FirstAsync(
            "SELECT COUNT(*) FROM (SELECT 1 FROM run_event WHERE project = $1 AND run = $2 LIMIT $3) kept",
            r => r.GetInt64(0), project, run, MaxKeptRefusals) >= MaxKeptRefusals;

    public ValueTask<List<RunEvent>> AfterAsync(string project, string run, long after, int limit) => database.ReadAsync(tx => AfterAsync(tx, project, run, after, limit));

    public static ValueTask<List<RunEvent>> AfterAsync(Tx tx, string project, string run, long after, int limit) =>
        tx.ListAsync($"SELECT {Columns} FROM run_event WHERE project = $1 AND run = $2 AND seq > $3 ORDER BY seq LIMIT $4", Map, project, run, after, limit);

    public static ValueTask<List<RunAttempt>> AttemptsAsync(Tx tx, string project, string run) =>
        tx.ListAsync(
            "SELECT attempt, status, phase, reason, failure_code, failure_message, failed_stage, began_at, ended_at FROM run_attempt WHERE project = $1 AND run = $2 ORDER BY attempt LIMIT 1000",
            r => new RunAttempt(r.GetInt64(0), r.GetString(1), r.GetString(2), r.TextOrNull(3), r.IsDBNull(4) ? null : new Failure(r.GetString(4), r.TextOrNull(5), r.TextOrNull(6)), Wire.Iso(r.GetInt64(7)), Wire.Iso(r.GetInt64(8))),
            project, run);

    public static ValueTask<int> KeepAttemptAsync(Tx tx, Run run, long endedAt) =>
        tx.ExecuteAsync(
            """
            INSERT INTO run_attempt (project, run, attempt, status, phase, reason, failure_code, failure_message, failed_stage, began_at, ended_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """, run.Project, run.Id, run.Attempt, run.Status, run.Phase, run.Reason, run.FailureCode, run.FailureMessage, run.FailedStage, run.AttemptAt, endedAt);

    private static RunEvent Map(DbDataReader r) => new(
        r.GetInt64(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), new Doer(r.GetString(4), r.GetString(5)), r.TextOrNull(6), r.TextOrNull(7), r.TextOrNull(8), r.TextOrNull(9), r.LongOrNull(10),
        r.Flag(11), r.TextOrNull(12), r.TextOrNull(13));
}

/// <summary>How an earlier attempt ended.</summary>
internal sealed record RunAttempt(
    [Member("The number of the attempt, from 1.")] long Attempt,
    [Member("The state that it ended in.")] string Status,
    [Member("What the state means.")] string Phase,
    [Member("Why it ended, for people.")] string? Reason,
    [Member("Why it failed.")] Failure? Failure,
    [At("When it began.")] string BeganAt,
    [At("When it ended.")] string EndedAt);

/// <summary>A row of the timeline as it is read: the same object in a page and as the data of an event stream.</summary>
internal sealed record RunEventView(
    [Member("The number of the event in the timeline, from 1.")] long Seq,
    [Member("What happened.")] string Type,
    [At("When the server took it.")] string At,
    [Member("The attempt that it was of.")] long Attempt,
    [Member("Who did it.")] string Actor,
    [Member("With which kind of credential.")] string Credential,
    [Member("The state before.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? From,
    [Member("The state after.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? To,
    [Member("The id that the report gave.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? EventId,
    [Member("The correlation id that the report gave.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? CorrelationId,
    [At("When it happened, as the report says.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? OccurredAt,
    [Word("Whether it changed the run.", "accepted", "refused")] string Outcome,
    [Member("Why it was refused.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? Code,
    [Chosen("More about it.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    JsonElement? Detail)
{
    public static RunEventView Of(RunEvent e) => new(
        e.Seq, e.Type, Wire.Iso(e.At), e.Attempt, e.By.Actor, e.By.Credential, e.From, e.To, e.EventId, e.CorrelationId, e.OccurredAt is { } at ? Wire.IsoMicroseconds(at) : null,
        e.Accepted ? "accepted" : "refused", e.Code, e.Detail is null
            ? null : JsonSerializer.Deserialize<JsonElement>(e.Detail, Wire.Json));
}
