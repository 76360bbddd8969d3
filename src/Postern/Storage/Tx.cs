using System.Data.Common;

namespace Postern.Storage;

/// <summary>
/// A transaction, or a read, that statements run in. SQL is one text for both databases, with positional parameters
/// <c>$1…</c>; text, bigint and bytes are the only column types.
/// </summary>
internal abstract class Tx
{
    private List<string>? _touched;
    private List<Counted>? _counted;

    /// <summary>
    /// Whether a query may hold statements that write (<c>WITH … AS (UPDATE … RETURNING …)</c>): PostgreSQL; SQLite
    /// runs them one after another.
    /// </summary>
    public abstract bool WritesInQueries { get; }

    /// <summary>
    /// Whether rows are on their way before the reader could do without them: PostgreSQL; SQLite makes each when it is
    /// asked for.
    /// </summary>
    public abstract bool SendsAhead { get; }

    /// <summary>
    /// Appended to a SELECT that a later write of this transaction depends on. Empty on SQLite, which has one writer.
    /// </summary>
    public abstract string ForUpdate { get; }

    /// <summary>
    /// True when nobody else writes while this transaction runs, so that what it read stays as it is.
    /// </summary>
    public bool IsAlone => ForUpdate.Length == 0;

    /// <summary>Appended to a SELECT that claims due rows, so that two nodes do not wait for one another.</summary>
    public abstract string ForUpdateSkipLocked { get; }

    /// <summary>
    /// Appended to a SELECT of a row that must still be there when this transaction commits, and that it leaves as it
    /// is.
    /// </summary>
    public virtual string ForKeyShare => "";

    /// <summary>
    /// A condition: a column of text is one of the texts of a JSON list, which is one argument however long it is.
    /// </summary>
    public abstract string IsAnyOf(string column, string parameter);

    /// <summary>A condition: a column that is a JSON list of texts holds one of the texts of another.</summary>
    public abstract string HoldsAnyOf(string column, string parameter);

    public abstract long Now { get; }

    /// <summary>
    /// An expression in an INSERT into <c>event</c>: the place of what people follow by a cursor, behind everything
    /// that has happened before and that this transaction could know of.
    /// </summary>
    /// <param name="project">The parameter that holds the project.</param>
    /// <param name="now">The parameter that holds the time.</param>
    public abstract string NextPosition(string project, string now);

    /// <summary>
    /// The place behind which more may still appear: whoever is shown nothing beyond it misses nothing. What this
    /// node's caller has committed is up to it, unless another transaction has been under way for a second.
    /// </summary>
    public abstract ValueTask<long> SettledAsync();

    /// <summary>Runs a statement; the answer is the number of rows it changed.</summary>
    public abstract ValueTask<int> ExecuteAsync(string sql, params object?[] args);

    /// <summary>The first row, mapped; default when there is none.</summary>
    public abstract ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>All rows, mapped. Every caller bounds them with a LIMIT.</summary>
    public abstract ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>
    /// The rows before the first one that is mapped to null: what follows it is not made. Only where
    /// <see cref="SendsAhead"/> is false.
    /// </summary>
    public virtual ValueTask<List<T>> ListUntilAsync<T>(string sql, Func<DbDataReader, T?> map, params object?[] args)
        where T : class =>
        throw new NotSupportedException("Rows are on their way already: the statement must bound them.");

    /// <summary>
    /// A write whose answer nobody needs. PostgreSQL is sent it with the next statement that is awaited or, when none
    /// follows, with the commit: in one round trip, in the order in which they were queued. A fault of it is met there,
    /// before the command is said to be done; the transaction is undone as by any other fault. SQLite runs it at once.
    /// </summary>
    public abstract void Queue(string sql, params object?[] args);

    /// <summary>
    /// The same for a write that must change one row: where it changes none, the transaction is undone.
    /// </summary>
    /// <param name="orElse">Makes the exception that the command then ends with.</param>
    /// <param name="sql">An INSERT, UPDATE or DELETE without RETURNING.</param>
    /// <param name="args">Its parameters.</param>
    public abstract void QueueOne(Func<Exception> orElse, string sql, params object?[] args);

    /// <summary>
    /// Asks like <see cref="FirstAsync{T}"/>, and reads the answer where it is awaited. It sees what was queued before
    /// it, and nothing of what is queued behind it.
    /// </summary>
    public abstract Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>The same for all rows (<see cref="ListAsync{T}"/>).</summary>
    public abstract Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>
    /// What was read once in this transaction and is asked for again and again; on SQLite one for all commands of a
    /// batch, which are committed together. Whoever changes it takes it out.
    /// </summary>
    public Dictionary<string, object> Cache { get; } = new(StringComparer.Ordinal);

    /// <summary>Announces a topic (a session's id, <see cref="Topics"/>) once this transaction has committed.</summary>
    public void Notify(string topic) => (_touched ??= []).Add(topic);

    /// <summary>Counts something once this transaction has committed (<see cref="Tally"/>).</summary>
    /// <param name="value">How often, or for a span its microseconds.</param>
    public void Count(string project, Measure measure, long value = 1) =>
        (_counted ??= []).Add(new Counted(project, measure, value));

    internal IReadOnlyList<Counted> Tallied => _counted ?? (IReadOnlyList<Counted>)[];

    internal IReadOnlyList<string> Touched => _touched ?? (IReadOnlyList<string>)[];

    /// <summary>How much it has announced and counted, so that a part of it can be undone.</summary>
    internal (int Touched, int Counted) Told => (_touched?.Count ?? 0, _counted?.Count ?? 0);

    internal void ForgetTold((int Touched, int Counted) keep)
    {
        _touched?.RemoveRange(keep.Touched, _touched.Count - keep.Touched);
        _counted?.RemoveRange(keep.Counted, _counted.Count - keep.Counted);
    }
}
