using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// The fast way for agents that stream: one plain record on <c>out</c> of an open session, with the fewest statements.
/// A record is not plain when the session is closed, expired or full, when another run has it, when the part is a
/// repeat, when the turn must stop, or when its deadline must be extended. Then nothing is written, and
/// <see cref="Conversation"/> decides.
///
/// The embedded database commits many commands together by itself. On PostgreSQL, appends that wait on this node are
/// sent together: one statement, one commit, an outcome for each. Rows that another transaction holds are skipped, so
/// nobody waits for another session. What was skipped or is not plain is tried alone.
/// </summary>
/// <param name="database">Where they go.</param>
/// <param name="mostBytes">A session that holds so many bytes takes no more.</param>
internal sealed class PlainAppends(Database database, long mostBytes)
{
    /// <summary>Up to this many appends run alone: with so few, a statement for each is fastest.</summary>
    private const int MostAlone = 4;

    /// <summary>
    /// The most statements for many appends at the same time, so that one runs while another commits.
    /// </summary>
    private const int MostTogether = 2;

    private const int MostRecords = 256;
    private const int MostBatchBytes = 4 * 1024 * 1024;

    private const string IsPlain = """
        closed_at IS NULL AND (expires_at IS NULL OR expires_at > $1) AND bytes < $2
        AND (turn_deadline IS NULL
          OR (turn_deadline > $1 + turn_seconds * 500000 AND stop_seq <= turn_in_seq))
        """;

    private const string TakeOutSeq = $"""
        UPDATE session SET out_next = out_next + 1, out_settled = 0, bytes = bytes + $8
        WHERE project = $3 AND id = $4 AND {IsPlain}
          AND ($5 = '' OR (current_run = $5 AND current_attempt = $6))
          AND ($7 = '' OR NOT EXISTS (SELECT 1 FROM record
            WHERE record.project = $3 AND record.session = $4 AND record.channel = 'out' AND record.part_id = $7))
        """;

    private const string TakeAndInsert = $"""
        WITH taken AS ({TakeOutSeq} RETURNING out_next - 1 AS seq)
        INSERT INTO record (project, session, channel, seq, at, part_id, body)
        SELECT $3, $4, 'out', seq, $1, NULLIF($7, ''), $9 FROM taken RETURNING seq
        """;

    /// <summary>
    /// Sessions are locked in any order. This is safe, because a locked row is skipped. The lock checks the conditions
    /// again when the row has changed meanwhile.
    /// </summary>
    private const string TakeAndInsertMany = $"""
        WITH given AS (
          SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[])
            AS given(project, session, part, place, body)
        ), wanted AS (
          SELECT *
          FROM unnest($8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[])
            AS wanted(project, session, run, attempt, records, size)
        ), held AS MATERIALIZED (
          SELECT session.project, session.id, wanted.records, wanted.size
          FROM wanted JOIN session ON session.project = wanted.project AND session.id = wanted.session
          WHERE {IsPlain}
            AND (wanted.run = '' OR (session.current_run = wanted.run AND session.current_attempt = wanted.attempt))
            AND NOT EXISTS (SELECT 1 FROM given JOIN record ON record.project = given.project
              AND record.session = given.session AND record.channel = 'out' AND record.part_id = given.part
              WHERE given.project = wanted.project AND given.session = wanted.session AND given.part <> '')
          FOR UPDATE OF session SKIP LOCKED
        ), taken AS (
          UPDATE session
          SET out_next = out_next + held.records, out_settled = 0, bytes = bytes + held.size
          FROM held WHERE session.project = held.project AND session.id = held.id
          RETURNING session.project, session.id, out_next - held.records AS start
        )
        INSERT INTO record (project, session, channel, seq, at, part_id, body)
        SELECT given.project, given.session, 'out', taken.start + given.place, $1, NULLIF(given.part, ''), given.body
        FROM taken JOIN given ON given.project = taken.project AND given.session = taken.id
        RETURNING session, seq
        """;

    private readonly Lock _lock = new();
    private readonly Queue<WaitingAppend> _waiting = new();

    /// <summary>
    /// The sessions to which this node is appending. Further appends to them wait, and are sent together.
    /// </summary>
    private readonly HashSet<string> _busy = new(StringComparer.Ordinal);
    private int _alone;
    private int _together;

    /// <summary>Returns the record's number, or null when it is not plain and nothing was written.</summary>
    /// <param name="name">The session.</param>
    /// <param name="record">No control record.</param>
    /// <param name="writer">Its run, where it has one, must have the session still.</param>
    public Task<long?> AppendAsync(SessionRef name, NewRecord record, Writer writer) =>
        // An embedded database commits together what its commands wrote.
        database.IsEmbedded
            ? AloneAsync(name, record, writer)
            : TogetherAsync(name, record, writer);

    private async Task<long?> TogetherAsync(SessionRef name, NewRecord record, Writer writer)
    {
        if (BeginsAlone(name.Id))
        {
            try
            {
                return await AloneAsync(name, record, writer);
            }
            finally
            {
                lock (_lock)
                {
                    _alone--;
                    _busy.Remove(name.Id);
                }
                BeginStatements();
            }
        }
        var waiting = new WaitingAppend(name, record, writer);
        lock (_lock)
            _waiting.Enqueue(waiting);
        BeginStatements();
        return await waiting.Outcome.Task ?? await AloneAsync(name, record, writer);
    }

    private bool BeginsAlone(string session)
    {
        lock (_lock)
        {
            if (_together > 0 || _waiting.Count > 0 || _alone == MostAlone || !_busy.Add(session))
                return false;
            _alone++;
            return true;
        }
    }

    private async Task<long?> AloneAsync(SessionRef name, NewRecord record, Writer writer)
    {
        try
        {
            return await database.WriteOneAsync(tx => AppendOneAsync(tx, name, record, writer));
        }
        catch (UniqueViolationException)
        {
            // Another append has just written the same part.
            return null;
        }
    }

    private async ValueTask<long?> AppendOneAsync(Tx tx, SessionRef name, NewRecord record, Writer writer)
    {
        object?[] args =
        [
            tx.Now,
            mostBytes,
            name.Project,
            name.Id,
            writer.Run ?? "",
            writer.Attempt,
            record.PartId ?? "",
            record.Size,
            record.Body,
        ];
        if (tx.WritesInQueries)
        {
            var written = await tx.FirstAsync(TakeAndInsert, r => (long?)r.GetInt64(0), args);
            if (written is not null)
                tx.Notify(name.Id);
            return written;
        }
        const string take = TakeOutSeq + " RETURNING out_next - 1";
        if (await tx.FirstAsync(take, r => (long?)r.GetInt64(0), args[..8]) is not { } seq)
            return null;
        RecordStore.Insert(tx, name, RecordStore.Out, seq, record);
        tx.Notify(name.Id);
        return seq;
    }

    /// <summary>Starts statements, up to the limit, while somebody waits.</summary>
    private void BeginStatements()
    {
        lock (_lock)
        {
            if (_waiting.Count == 0 || _together == MostTogether)
                return;
            _together++;
        }
        // Runs for many requests at once, so no caller's cancellation may stop it.
        using (ExecutionContext.SuppressFlow())
            _ = Task.Run(WriteTogetherAsync);
    }

    private async Task WriteTogetherAsync()
    {
        StorageUse.Begin(new StorageUse(Asker.Request));
        for (var batch = Next(done: []); batch.Count > 0; batch = Next(done: batch.Keys))
        {
            try
            {
                var starts = await database.WriteOneAsync(tx => AppendManyAsync(tx, batch));
                foreach (var (session, appends) in batch)
                    for (var i = 0; i < appends.Count; i++)
                        appends[i].Outcome.SetResult(starts.TryGetValue(session, out var start) ? start + i : null);
            }
            catch (UniqueViolationException)
            {
                // Another append has just written one of the parts; the whole statement had no effect.
                foreach (var append in batch.Values.SelectMany(a => a))
                    append.Outcome.SetResult(null);
            }
            catch (Exception fault)
            {
                foreach (var append in batch.Values.SelectMany(a => a))
                    append.Outcome.TrySetException(fault);
            }
        }
    }

    /// <summary>
    /// Takes the waiting appends, by session. When no waiting session is free, it returns nothing and this statement
    /// ends. Of one session, appends with another run or a repeated part wait for the next statement.
    /// </summary>
    /// <param name="done">Sessions that the caller was appending to.</param>
    private Dictionary<string, List<WaitingAppend>> Next(IReadOnlyCollection<string> done)
    {
        var batch = new Dictionary<string, List<WaitingAppend>>(StringComparer.Ordinal);
        lock (_lock)
        {
            _busy.ExceptWith(done);
            var (records, bytes) = (0, 0L);
            for (var left = _waiting.Count; left > 0; left--)
            {
                var append = _waiting.Dequeue();
                if (CanJoin(batch, append) && records < MostRecords && bytes < MostBatchBytes)
                {
                    (records, bytes) = (records + 1, bytes + append.Record.Size);
                    if (!batch.TryAdd(append.Name.Id, [append]))
                        batch[append.Name.Id].Add(append);
                }
                else
                    _waiting.Enqueue(append);
            }
            _busy.UnionWith(batch.Keys);
            if (batch.Count == 0)
                _together--;
        }
        return batch;
    }

    private bool CanJoin(Dictionary<string, List<WaitingAppend>> batch, WaitingAppend append) =>
        batch.TryGetValue(append.Name.Id, out var same)
            ? same[0].GoesWith(append) && !same.Exists(s => s.IsSamePart(append))
            : !_busy.Contains(append.Name.Id);

    /// <summary>Returns the first number for each session whose records were written.</summary>
    private async ValueTask<Dictionary<string, long>> AppendManyAsync(
        Tx tx,
        Dictionary<string, List<WaitingAppend>> batch
    )
    {
        var (given, wanted) = (batch.Values.SelectMany(a => a).ToList(), batch.Values.Select(a => a[0]).ToList());
        var written = await tx.ListAsync(
            TakeAndInsertMany,
            r => (Session: r.GetString(0), Seq: r.GetInt64(1)),
            tx.Now,
            mostBytes,
            given.Select(g => g.Name.Project).ToArray(),
            given.Select(g => g.Name.Id).ToArray(),
            given.Select(g => g.Record.PartId ?? "").ToArray(),
            batch.Values.SelectMany(a => Enumerable.Range(0, a.Count).Select(i => (long)i)).ToArray(),
            given.Select(g => g.Record.Body).ToArray(),
            wanted.Select(w => w.Name.Project).ToArray(),
            wanted.Select(w => w.Name.Id).ToArray(),
            wanted.Select(w => w.Writer.Run ?? "").ToArray(),
            wanted.Select(w => (long)w.Writer.Attempt).ToArray(),
            batch.Values.Select(a => (long)a.Count).ToArray(),
            batch.Values.Select(a => a.Sum(w => w.Record.Size)).ToArray()
        );
        var starts = written.GroupBy(w => w.Session).ToDictionary(g => g.Key, g => g.Min(w => w.Seq));
        foreach (var session in starts.Keys)
            tx.Notify(session);
        return starts;
    }
}
