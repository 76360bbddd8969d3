using System.Data.Common;
using System.Text.Json;
using Postern.Access;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>The row of a job: the statements that write and read its columns.</summary>
internal static class BulkRow
{
    /// <summary>All columns except the items, which a shown job does not need.</summary>
    public const string Columns = """
        project, id, action, filter, reason, as_of, credential, actor, key_id, secret, session, scopes, address,
        matched, place, done, skipped, arrived, status, stopped_because, created_at, moved_at, ended_at, waits_until,
        lease_no
        """;

    public const string WithoutItems = Columns + ", '[]'";
    public const string WithItems = Columns + ", items";

    public static ValueTask<int> InsertAsync(Tx tx, BulkJob job, byte[] mark) =>
        tx.ExecuteAsync(
            """
            INSERT INTO bulk_job (project, id, mark, action, filter, reason, as_of, credential, actor, key_id, secret,
              session, scopes, address, items, matched, status, created_at, moved_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)
            """,
            job.Project,
            job.Id,
            mark,
            job.Action,
            job.Filter.ToString(),
            job.Reason,
            job.AsOf,
            job.By.Credential,
            job.By.Actor,
            job.By.KeyId,
            job.By.Secret,
            job.By.Session,
            JsonSerializer.Serialize(new Person(job.By.Identity, job.By.Scopes)),
            job.Address,
            job.Items,
            job.Matched,
            BulkJob.Running,
            tx.Now
        );

    /// <summary>Reads a row of <see cref="Columns"/> with the items behind them.</summary>
    public static BulkJob Map(DbDataReader r)
    {
        var person = JsonSerializer.Deserialize<Person>(r.GetString(11));
        return new BulkJob
        {
            Project = r.GetString(0),
            Id = r.GetString(1),
            Action = r.GetString(2),
            Filter = BulkFilter.Kept(r.GetString(3)),
            Reason = r.TextOrNull(4),
            AsOf = r.GetInt64(5),
            By = new Mandate(r.GetString(6), r.GetString(7))
            {
                KeyId = r.TextOrNull(8),
                Secret = r.BytesOrNull(9),
                Session = r.TextOrNull(10),
                Identity = person?.Identity,
                Scopes = person?.Scopes ?? [],
            },
            Address = r.TextOrNull(12),
            Matched = r.GetInt64(13),
            Place = r.GetInt64(14),
            DoneCount = r.GetInt64(15),
            SkippedCount = r.GetInt64(16),
            ArrivedCount = r.GetInt64(17),
            Status = r.GetString(18),
            StoppedBecause = r.TextOrNull(19),
            CreatedAt = r.GetInt64(20),
            MovedAt = r.GetInt64(21),
            EndedAt = r.LongOrNull(22),
            WaitsUntil = r.LongOrNull(23),
            LeaseNo = r.GetInt64(24),
            Items = r.GetString(25),
        };
    }

    /// <summary>What is stored about a person without a key.</summary>
    private sealed record Person(string? Identity, IReadOnlyList<string> Scopes);
}
