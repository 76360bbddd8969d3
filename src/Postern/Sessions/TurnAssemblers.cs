using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Makes the message of a turn. The transaction that stores it takes a limited time, however long the turn was. A short
/// turn is folded inside. For a long one, the command is stopped (<see cref="OutsideFirstException"/>); its records,
/// which never change, are folded outside; a long message is written to the database in pieces; then the command runs
/// again. Only the few records that have come meanwhile are folded under the session's lock.
///
/// A message and its pieces are committed together, by removing the draft of the pieces. A draft that is left over (a
/// crash, a failed command) is deleted with its pieces, at once or by <see cref="SweepAsync"/>. The folded part is kept
/// while its command runs.
/// </summary>
internal sealed class TurnAssemblers(Database database, RecordStore records, PosternOptions options)
{
    /// <summary>The bytes of a piece.</summary>
    public const int PieceBytes = 512 * 1024;

    /// <summary>The most records that are folded inside a transaction, and their bytes.</summary>
    private const int InsideRecords = 500;
    private const int InsideBytes = 256 * 1024;

    /// <summary>More than the records of one transaction: a request's body, and what the server adds.</summary>
    private const int OwnBytes = 4 * 1024 * 1024;

    /// <summary>
    /// The bytes of a message that are kept in memory and written in its own row. A longer message is first written in
    /// pieces.
    /// </summary>
    private const int HeadBytes = 64 * 1024;
    private const int PageRecords = 1000;

    /// <summary>How long a draft may exist. A command that needs it has ended long before.</summary>
    private const long DraftMicroseconds = 3_600_000_000;

    private readonly Dictionary<(string Project, string Session), Folding> _foldings = [];
    private readonly Lock _gate = new();

    /// <summary>
    /// The most turns that are folded at the same time, because each may need the bytes of a whole turn.
    /// </summary>
    private readonly SemaphoreSlim _places = new(4);

    /// <summary>The number of turns of which something is kept.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _foldings.Count;
        }
    }

    /// <summary>Returns the message of the open turn on <c>out</c>, or null when nothing was said.</summary>
    /// <param name="tx">Holds the session's row.</param>
    /// <param name="session">As it is now.</param>
    /// <param name="stored">
    /// One past the last record that is read: those from here on are <paramref name="own"/>.
    /// </param>
    /// <param name="own">The records that this command adds to the turn.</param>
    public async ValueTask<FoldedMessage?> MessageAsync(Tx tx, Session session, long stored, IEnumerable<NewRecord> own)
    {
        var (before, isAll) = FoldedOf(session);
        var fold = new TurnAssembler(options.Quotas.TurnBytes, before);
        var next = before?.Next ?? session.TurnOutSeq;
        if (!fold.IsCut && next < stored)
            foreach (var record in await RemainingAsync(tx, session, next, stored, isAll))
                fold.Add(record.Body, record.Size);
        foreach (var record in own)
            fold.Add(record.Body, record.Size);
        if (fold.End() is not { } end)
            return null;
        byte[] content = before is null ? end : [.. before.Head.Span, .. end];
        if (before is not { Pieces: > 0 })
            return new FoldedMessage(content, fold.ClientId, null, 0);
        // Another node may have removed the draft; then its pieces are made again.
        if (await TakeDraftAsync(tx, session.Project, session.Id, before.MessageId!) == 0)
            throw new OutsideFirstException(() =>
                FoldAsync(Conversation.NameOf(session), session.TurnOutSeq, long.MaxValue)
            );
        return new FoldedMessage(content, fold.ClientId, before.MessageId, before.Pieces);
    }

    /// <summary>
    /// Returns the stored records from a place on. When all committed records were folded, only this transaction's own
    /// remain, which are no more than one request contains.
    /// </summary>
    private async ValueTask<List<Record>> RemainingAsync(Tx tx, Session session, long next, long stored, bool isAll)
    {
        var name = Conversation.NameOf(session);
        var (most, bytes) = isAll ? (PageRecords, OwnBytes) : (InsideRecords, InsideBytes);
        var page = await RecordStore.AfterAsync(tx, name, RecordStore.Out, next - 1, most, bytes);
        return page.Count > 0 && page[^1].Seq + 1 >= stored
            ? page
            : throw new OutsideFirstException(() => FoldAsync(name, session.TurnOutSeq, next));
    }

    /// <summary>Returns the message of a turn whose records cannot be read: only the explanation.</summary>
    public FoldedMessage? MessageWithoutRecords(IEnumerable<NewRecord> own)
    {
        var fold = new TurnAssembler(options.Quotas.TurnBytes, null);
        foreach (var record in own)
            fold.Add(record.Body, record.Size);
        return fold.End() is { } content ? new FoldedMessage(content, fold.ClientId, null, 0) : null;
    }

    /// <summary>Removes drafts that no command can need any more, with their pieces.</summary>
    public async Task SweepAsync()
    {
        while (true)
        {
            var old = await database.ReadAsync(tx =>
                tx.ListAsync(
                    "SELECT project, session, message FROM message_draft WHERE at < $1 ORDER BY at LIMIT 20",
                    r => (r.GetString(0), r.GetString(1), r.GetString(2)),
                    tx.Now - DraftMicroseconds
                )
            );
            foreach (var (project, session, message) in old)
                await DropAsync(project, session, message);
            if (old.Count < 20)
                return;
        }
    }

    /// <summary>
    /// Does nothing when the message was committed: then the draft is gone, and the pieces are its content.
    /// </summary>
    private Task<int> DropAsync(string project, string session, string message) =>
        database.WriteAsync(async tx =>
            await TakeDraftAsync(tx, project, session, message) == 0
                ? 0
                : await tx.ExecuteAsync(
                    "DELETE FROM message_piece WHERE project = $1 AND session = $2 AND message = $3",
                    project,
                    session,
                    message
                )
        );

    private static ValueTask<int> TakeDraftAsync(Tx tx, string project, string session, string message) =>
        tx.ExecuteAsync(
            "DELETE FROM message_draft WHERE project = $1 AND session = $2 AND message = $3",
            project,
            session,
            message
        );

    private (FoldedTurn? Folded, bool IsAll) FoldedOf(Session session)
    {
        lock (_gate)
        {
            var there = _foldings.GetValueOrDefault((session.Project, session.Id));
            return there?.Folded?.From == session.TurnOutSeq ? (there.Folded, there.IsAll) : (null, false);
        }
    }

    /// <summary>
    /// Folds the committed part of a turn. A command that comes while another one has it folded shares the result.
    /// </summary>
    /// <param name="name">The session.</param>
    /// <param name="from">The turn's first record.</param>
    /// <param name="next">
    /// Where the command that asks has found the fold to end; <see cref="long.MaxValue"/>: it is no longer good.
    /// </param>
    private async Task<IAsyncDisposable> FoldAsync(SessionRef name, long from, long next)
    {
        var folding = Enter(name);
        try
        {
            await folding.One.WaitAsync();
            try
            {
                var there = folding.Folded is { } known && known.From == from && next != long.MaxValue ? known : null;
                if (there is null || there.Next <= next)
                    await FoldOnAsync(name, folding, from, there);
            }
            finally
            {
                folding.One.Release();
            }
            return folding;
        }
        catch
        {
            await folding.DisposeAsync();
            throw;
        }
    }

    private async Task FoldOnAsync(SessionRef name, Folding folding, long from, FoldedTurn? there)
    {
        await _places.WaitAsync();
        try
        {
            // Another command may have ended it meanwhile; then there is nothing to fold.
            var open = await database.ReadAsync(tx =>
                tx.FirstAsync(
                    "SELECT turn_out_seq FROM session WHERE project = $1 AND id = $2",
                    r => r.GetInt64(0),
                    name.Project,
                    name.Id
                )
            );
            if (open != from)
                return;
            var fold = new TurnAssembler(options.Quotas.TurnBytes, there);
            var next = there?.Next ?? from;
            while (!fold.IsCut)
            {
                var page = await records.AfterAsync(name, RecordStore.Out, next - 1, PageRecords);
                if (page.Count == 0)
                    break;
                foreach (var record in page)
                    fold.Add(record.Body, record.Size);
                next = page[^1].Seq + 1;
            }
            var (json, now) = fold.Beginning(from, next);
            now = now with { MessageId = there?.MessageId, Pieces = there?.Pieces ?? 0 };
            var isAll = there is not null && next == there.Next;
            var rest = there is null ? json : (byte[])[.. there.Head.Span, .. json.Span];
            Keep(folding, await WriteAheadAsync(name, now, rest), isAll);
        }
        finally
        {
            _places.Release();
        }
    }

    /// <summary>A long message is written in pieces, in short transactions. A short one is kept in memory.</summary>
    private async Task<FoldedTurn> WriteAheadAsync(SessionRef name, FoldedTurn now, ReadOnlyMemory<byte> json)
    {
        if (json.Length <= HeadBytes)
            return now with { Head = json };
        var message = now.MessageId ?? Id.New("msg", database.Now);
        var pieces = now.Pieces;
        for (; json.Length > 0; pieces++)
        {
            var (piece, body) = (pieces, json[..Math.Min(PieceBytes, json.Length)].ToArray());
            json = json[body.Length..];
            await database.WriteAsync(async tx =>
            {
                await tx.ExecuteAsync(
                    """
                    INSERT INTO message_draft (project, session, message, at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT DO NOTHING
                    """,
                    name.Project,
                    name.Id,
                    message,
                    tx.Now
                );
                return await tx.ExecuteAsync(
                    "INSERT INTO message_piece (project, session, message, piece, body) VALUES ($1, $2, $3, $4, $5)",
                    name.Project,
                    name.Id,
                    message,
                    piece,
                    body
                );
            });
        }
        return now with { MessageId = message, Pieces = pieces, Head = default };
    }

    private void Keep(Folding folding, FoldedTurn folded, bool isAll)
    {
        lock (_gate)
            (folding.Folded, folding.IsAll) = (folded, isAll);
    }

    private Folding Enter(SessionRef name)
    {
        lock (_gate)
        {
            if (!_foldings.TryGetValue((name.Project, name.Id), out var folding))
                _foldings[(name.Project, name.Id)] = folding = new Folding(this, name);
            folding.Users++;
            return folding;
        }
    }

    private async ValueTask LeaveAsync(Folding folding)
    {
        lock (_gate)
        {
            if (--folding.Users > 0)
                return;
            _foldings.Remove((folding.Name.Project, folding.Name.Id));
        }
        // It was not committed, and will not be.
        if (folding.Folded is { Pieces: > 0, MessageId: { } message })
            await DropAsync(folding.Name.Project, folding.Name.Id, message);
    }

    /// <summary>A turn of one session that is folded for one or more commands. Each of them disposes it.</summary>
    private sealed class Folding(TurnAssemblers folds, SessionRef name) : IAsyncDisposable
    {
        public SessionRef Name { get; } = name;

        public SemaphoreSlim One { get; } = new(1);

        public int Users { get; set; }

        public FoldedTurn? Folded { get; set; }

        /// <summary>At the last read, nothing more was committed.</summary>
        public bool IsAll { get; set; }

        public ValueTask DisposeAsync() => folds.LeaveAsync(this);
    }
}
