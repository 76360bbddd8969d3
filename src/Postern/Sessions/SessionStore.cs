using System.Collections.Concurrent;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// The rows of sessions: finding, listing, creating. The rules of a conversation are in <see cref="Conversation"/>.
/// </summary>
internal sealed partial class SessionStore(Database database, Reactions<SessionForgotten> forgotten)
{
    private const int MaxNames = 50_000;

    private readonly ConcurrentDictionary<(string Project, Reference Kind, string Text), SessionRef> _names = new();

    /// <summary>
    /// Locks the row until the transaction ends. This is the first statement of every change of a session.
    /// </summary>
    public static ValueTask<Session?> LockAsync(Tx tx, string project, string id) =>
        tx.FirstAsync(tx.IsAlone ? Find : FindForUpdate, Row<Session>.Read, project, id);

    private static readonly string Find = $"SELECT {Row<Session>.Columns} FROM session WHERE project = $1 AND id = $2";
    private static readonly string FindForUpdate = Find + " FOR UPDATE";

    private static readonly string FindNamed =
        $"SELECT {Row<Session>.Columns} FROM session WHERE project = $1 AND external_id = $2";

    /// <summary>Finds a session by <c>session_…</c> or by its external id.</summary>
    public ValueTask<Session?> FindAsync(string project, string reference) =>
        database.ReadAsync(tx => FindAsync(tx, project, reference));

    public static ValueTask<Session?> FindAsync(Tx tx, string project, string reference) =>
        reference.StartsWith(Session.Prefix + "_", StringComparison.Ordinal)
            ? tx.FirstAsync(Find, Row<Session>.Read, project, reference)
            : tx.FirstAsync(FindNamed, Row<Session>.Read, project, reference);

    /// <summary>Finds a session by its external id only.</summary>
    public static Ahead<Session?> FindNamedAhead(Tx tx, string project, string externalId) =>
        tx.FirstAhead(FindNamed, Row<Session>.Read, project, externalId);

    public ValueTask<Session?> FindByKeyAsync(string project, string key) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT {Row<Session>.Columns} FROM session WHERE project = $1 AND session_key = $2",
                Row<Session>.Read,
                project,
                key
            )
        );

    /// <summary>
    /// Returns the part of a session that never changes. It is cached, because every append and stream needs it. Call
    /// <see cref="Forget"/> when the session turns out to be gone.
    /// </summary>
    public async ValueTask<SessionRef?> NameAsync(string project, string reference)
    {
        var kind = reference.StartsWith(Session.Prefix + "_", StringComparison.Ordinal)
            ? Reference.Id
            : Reference.ExternalId;
        if (_names.TryGetValue((project, kind, reference), out var name))
            return name;
        return await FindAsync(project, reference) is { } session ? Keep(kind, reference, session) : null;
    }

    /// <summary>
    /// The same by the key of history, which is a separate name even when it looks like an external id.
    /// </summary>
    public async ValueTask<SessionRef?> NameByKeyAsync(string project, string key)
    {
        if (_names.TryGetValue((project, Reference.Key, key), out var name))
            return name;
        return await FindByKeyAsync(project, key) is { } session ? Keep(Reference.Key, key, session) : null;
    }

    /// <summary>The number of cached names.</summary>
    public int NamesKept => _names.Count;

    /// <summary>Caches a session that this node has just created or read.</summary>
    public SessionRef Keep(Session session) =>
        session.ExternalId is { } name
            ? Keep(Reference.ExternalId, name, session)
            : Keep(Reference.Id, session.Id, session);

    private SessionRef Keep(Reference kind, string reference, Session session)
    {
        // A limit, not a policy: when it is reached, everything is read again.
        if (_names.Count >= MaxNames)
            _names.Clear();
        return _names[(session.Project, kind, reference)] = new SessionRef(
            session.Project,
            session.Id,
            session.ExternalId,
            session.Agent,
            session.Key
        );
    }

    public void Forget(SessionRef name)
    {
        _names.TryRemove((name.Project, Reference.Id, name.Id), out _);
        _names.TryRemove((name.Project, Reference.Key, name.Key), out _);
        if (name.ExternalId is not null)
            _names.TryRemove((name.Project, Reference.ExternalId, name.ExternalId), out _);
    }

    /// <summary>
    /// Inserts a session. Returns false when another session has the external id or the key. Of several calls at once,
    /// one succeeds.
    /// </summary>
    public static async ValueTask<bool> InsertAsync(Tx tx, Session s)
    {
        var made = await tx.ExecuteAsync(InsertNew, Row<Session>.Values(s)) == 1;
        if (made)
            Appeared(tx, s);
        return made;
    }

    /// <summary>The same with names that nobody else can have.</summary>
    public static void InsertOwn(Tx tx, Session s)
    {
        tx.QueueOne(
            () => new InvalidOperationException($"The name of {s.Id} was taken."),
            InsertNew,
            Row<Session>.Values(s)
        );
        Appeared(tx, s);
    }

    private static readonly string InsertNew = $"""
        INSERT INTO session ({Row<Session>.Columns}, expiry_told) VALUES ({Row<Session>.Parameters}, 0)
        ON CONFLICT DO NOTHING
        """;

    private static void Appeared(Tx tx, Session s)
    {
        if (s.ExternalId is not null)
            tx.Notify(Topics.Named(s.Project, s.ExternalId));
        ListChanged(tx, s.Project);
    }

    /// <summary>Announces that a list of sessions has changed.</summary>
    public static void ListChanged(Tx tx, string project) => tx.Notify(Topics.List(project, "sessions"));

    /// <summary>
    /// Writes the columns that clients change. The row must be locked; the values are those of the locked row with its
    /// changes.
    /// </summary>
    public static ValueTask<int> SaveAsync(Tx tx, Session held) =>
        tx.ExecuteAsync(
            $"UPDATE session SET {Row<Session>.Assignments} WHERE project = $1 AND id = $2",
            [held.Project, held.Id, .. Row<Session>.ChangedValues(held with { UpdatedAt = tx.Now })]
        );

    /// <summary>Changes a session by its present row. Returns null when it is gone.</summary>
    public Task<Session?> ChangeAsync(SessionRef name, Func<Session, Session> change) =>
        database.WriteAsync(async tx =>
        {
            if (await LockAsync(tx, name.Project, name.Id) is not { } session)
                return null;
            await SaveAsync(tx, change(session));
            ListChanged(tx, name.Project);
            return await LockAsync(tx, name.Project, name.Id);
        });

    /// <summary>
    /// Returns a page, newest first (or, before a cursor, the preceding page). The filters are in the statement, so a
    /// page is short only at the end.
    /// </summary>
    public ValueTask<Listed<Session>> ListAsync(
        string project,
        SessionFilter filter,
        int limit,
        CancellationToken cancel
    ) =>
        ListSearch.FindAsync(
            database,
            filter.Before is null ? Newest : Oldest,
            (filter.Before ?? filter.After)?.Place,
            limit,
            tx => Narrow(tx, project, filter),
            Row<Session>.Columns,
            Row<Session>.Read,
            s => (s.CreatedAt, s.Id),
            cancel,
            filter.Text is null ? int.MaxValue : ListSearch.MostForText
        );

    /// <summary>Returns the conditions of a list, without the place where its page begins.</summary>
    public static ListQuery Narrow(Tx tx, string project, SessionFilter filter)
    {
        var query = new ListQuery(tx, "project = $1", project)
            .AnyOf("id", filter.Ids)
            .AnyOf("type", filter.Types)
            .AnyOf("agent", filter.Agents)
            .AnyOf("external_id", filter.ExternalIds)
            .HoldsAnyOf("tags", filter.Tags)
            .And("created_at >= {0}", filter.From)
            .And("created_at <= {0}", filter.To)
            .Holds(filter.Text, "external_id", "tags", "closed_reason");
        if (!filter.WithInternal)
            query.And("NOT " + IsInternal("external_id"));
        if (filter.Statuses.Count == 0)
            return query;
        var now = query.Arg(tx.Now);
        var tests = filter.Statuses.Order(StringComparer.Ordinal).Select(s => StatusTest(s, now));
        return query.And("(" + string.Join(" OR ", tests) + ")");
    }

    /// <summary>Returns sessions whose ids or external ids begin with a text.</summary>
    public ValueTask<List<Session>> BeginningWithAsync(string project, string text, bool withInternal, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Session>.Columns} FROM session
                WHERE project = $1 AND (id >= $2 AND id < $3 OR external_id >= $2 AND external_id < $3)
                  {(withInternal ? "" : "AND NOT " + IsInternal("external_id"))} ORDER BY id LIMIT $4
                """,
                Row<Session>.Read,
                project,
                text,
                text + "~",
                (long)limit
            )
        );

    private static readonly ListOrder Newest = new("session", "created_at");
    private static readonly ListOrder Oldest = Newest with { NewestFirst = false };

    /// <summary>
    /// Returns the kinds of which a session is overdue. Mostly there is none, and then the keeper has asked once.
    /// </summary>
    public async ValueTask<IReadOnlyList<Overdue>> OverdueKindsAsync()
    {
        var kinds = Enum.GetValues<Overdue>();
        var found = await database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT " + string.Join(", ", kinds.Select(what => $"(SELECT 1 {Those(what)} LIMIT 1)")),
                r => kinds.Where((_, i) => !r.IsDBNull(i)).ToList(),
                tx.Now
            )
        );
        return found ?? [];
    }

    /// <summary>Returns sessions with an overdue turn, expiry or wanted run, for the keeper.</summary>
    public ValueTask<List<SessionRef>> OverdueAsync(Overdue what, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"SELECT project, id, external_id, agent, session_key {Those(what)} LIMIT $2",
                r => new SessionRef(r.GetString(0), r.GetString(1), r.TextOrNull(2), r.GetString(3), r.GetString(4)),
                tx.Now,
                limit
            )
        );

    private static string Those(Overdue what) =>
        what switch
        {
            Overdue.Turn => "FROM session WHERE turn_deadline <= $1 ORDER BY turn_deadline",
            Overdue.Expiry => """
                FROM session WHERE expires_at <= $1 AND expiry_told = 0 AND expires_at IS NOT NULL ORDER BY expires_at
                """,
            Overdue.WantedRun => """
                FROM session WHERE run_wanted_until IS NOT NULL AND $1 > 0 ORDER BY run_wanted_until
                """,
            _ => throw new ArgumentOutOfRangeException(nameof(what)),
        };

    /// <summary>
    /// Returns sessions that were closed, or that expired, before an instant; each kind by its own index.
    /// </summary>
    public ValueTask<List<SessionRef>> EndedBeforeAsync(bool isClosed, long before, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                isClosed
                    ? "SELECT project, id, external_id, agent, session_key FROM session WHERE closed_at < $1 LIMIT $2"
                    : """
                    SELECT project, id, external_id, agent, session_key
                      FROM session
                     WHERE closed_at IS NULL AND expiry_told = 1 AND expires_at < $1
                     LIMIT $2
                    """,
                r => new SessionRef(r.GetString(0), r.GetString(1), r.TextOrNull(2), r.GetString(3), r.GetString(4)),
                before,
                limit
            )
        );

    /// <summary>
    /// Tables in which an ended session may have many rows, with the key within the session. Their rows are deleted in
    /// batches before the session itself.
    /// </summary>
    public static IReadOnlyList<(string Table, string Key)> Parts { get; } =
    [("record", "channel, seq"), ("message", "seq"), ("message_piece", "message, piece")];

    public static ValueTask<int> DeletePartAsync(Tx tx, SessionRef name, (string Table, string Key) part, int limit) =>
        tx.ExecuteAsync(
            $"""
            DELETE FROM {part.Table} WHERE project = $1 AND session = $2 AND ({part.Key}) IN (
              SELECT {part.Key} FROM {part.Table} WHERE project = $1 AND session = $2
              ORDER BY {part.Key} LIMIT {limit}{tx.ForUpdateSkipLocked})
            """,
            name.Project,
            name.Id
        );

    /// <summary>Removes a session with its own rows; its open streams end.</summary>
    public async ValueTask<int> DeleteAsync(Tx tx, SessionRef name)
    {
        tx.Notify(name.Id);
        // In the order of locks: the names of requests, then the session and its runs. A concurrent write about them
        // happens before this, or not at all.
        await RunStore.DeleteRequestsOfSessionAsync(tx, name.Project, name.Id);
        if (await LockAsync(tx, name.Project, name.Id) is null)
            return 0;
        await RunStore.LockEndedOfSessionAsync(tx, name.Project, name.Id);
        await tx.ExecuteAsync("DELETE FROM record WHERE project = $1 AND session = $2", name.Project, name.Id);
        foreach (var table in (string[])["message", "message_piece", "message_draft"])
            await tx.ExecuteAsync($"DELETE FROM {table} WHERE project = $1 AND session = $2", name.Project, name.Id);
        await tx.ExecuteAsync("DELETE FROM participant WHERE project = $1 AND session = $2", name.Project, name.Id);
        await RunStore.DeletePartsOfSessionAsync(tx, name.Project, name.Id);
        await forgotten.RaiseAsync(tx, new SessionForgotten(name.Project, name.Id));
        await RunStore.DeleteOfSessionAsync(tx, name.Project, name.Id);
        return await tx.ExecuteAsync("DELETE FROM session WHERE project = $1 AND id = $2", name.Project, name.Id);
    }

    /// <summary>
    /// Returns the condition that leaves out rows of another table whose session is internal
    /// (<see cref="Session.IsInternal"/>).
    /// </summary>
    /// <param name="table">Has the columns <c>project</c> and <c>session</c>.</param>
    public static string IsNotOfInternal(string table) => IsNotInternal(table + ".project", table + ".session");

    /// <summary>The same condition for one reader; null: the reader is an administrator, who sees all rows.</summary>
    public static string? ShownTo(bool isAdmin, string table) => isAdmin ? null : IsNotOfInternal(table);

    /// <summary>
    /// The same with an expression for the session's id. Null and ids of other things do not count as internal.
    /// </summary>
    public static string IsNotInternal(string project, string id) =>
        $"""
            NOT EXISTS (
              SELECT 1 FROM session of_it
              WHERE of_it.project = {project} AND of_it.id = {id} AND {IsInternal("of_it.external_id")})
            """;

    private static string IsInternal(string column)
    {
        var begins = Session.InternalPrefixes.Select(p => $"substr(COALESCE({column}, ''), 1, {p.Length}) = '{p}'");
        return "(" + string.Join(" OR ", begins) + ")";
    }

    private static string StatusTest(string status, string now) =>
        status switch
        {
            "CLOSED" => "closed_at IS NOT NULL",
            "EXPIRED" => $"(closed_at IS NULL AND expires_at <= {now})",
            "IDLE" => $"(closed_at IS NULL AND (expires_at IS NULL OR expires_at > {now}) AND current_run IS NULL)",
            _ => $"(closed_at IS NULL AND (expires_at IS NULL OR expires_at > {now}))",
        };
}
