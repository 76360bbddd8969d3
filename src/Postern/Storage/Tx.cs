using System.Data.Common;

namespace Postern.Storage;

/// <summary>
/// A transaction, or a read, that statements run in. SQL is one text for both databases, with positional parameters
/// <c>$1…</c>; text, bigint and bytes are the only column types.
/// </summary>
internal abstract class Tx
{
    private List<string>? _topics;
    private List<Counted>? _counted;

    /// <summary>
    /// Whether a query may contain statements that write (<c>WITH … AS (UPDATE … RETURNING …)</c>). True on PostgreSQL;
    /// on SQLite they must run one after another.
    /// </summary>
    public abstract bool WritesInQueries { get; }

    /// <summary>
    /// Whether rows are sent before the reader can stop them. True on PostgreSQL; SQLite makes each row when it is
    /// asked for it.
    /// </summary>
    public abstract bool SendsAhead { get; }

    /// <summary>
    /// Appended to a SELECT on which a later write of this transaction depends. Empty on SQLite, which has one writer.
    /// </summary>
    public abstract string ForUpdate { get; }

    /// <summary>
    /// Whether nobody else can write while this transaction runs, so that what it has read stays true.
    /// </summary>
    public bool IsAlone => ForUpdate.Length == 0;

    /// <summary>Appended to a SELECT that claims due rows, so that two nodes do not wait for one another.</summary>
    public abstract string ForUpdateSkipLocked { get; }

    /// <summary>
    /// Appended to a SELECT of a row that this transaction does not change, but that must still exist when it commits.
    /// </summary>
    public virtual string ForKeyShare => "";

    /// <summary>
    /// Returns a condition: a text column is one of the texts of a JSON list. The list is one argument, whatever its
    /// length.
    /// </summary>
    public abstract string IsAnyOf(string column, string parameter);

    /// <summary>
    /// Returns a condition: a column with a JSON list of texts contains one of the texts of another list.
    /// </summary>
    public abstract string HoldsAnyOf(string column, string parameter);

    public abstract long Now { get; }

    /// <summary>
    /// Returns an expression for an INSERT into <c>event</c>: a position behind everything that has happened before and
    /// that this transaction could know.
    /// </summary>
    /// <param name="project">The parameter that holds the project.</param>
    /// <param name="now">The parameter that holds the time.</param>
    public abstract string NextPosition(string project, string now);

    /// <summary>
    /// Returns the position behind which more may still appear. A reader that is shown nothing beyond it misses
    /// nothing. What this node's caller has committed lies before it, unless another transaction has been open for a
    /// second.
    /// </summary>
    public abstract ValueTask<long> SettledAsync();

    /// <summary>Runs a statement. Returns the number of rows it changed.</summary>
    public abstract ValueTask<int> ExecuteAsync(string sql, params object?[] args);

    /// <summary>Returns the first row, mapped, or default when there is none.</summary>
    public abstract ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>Returns all rows, mapped. Every caller limits them with a LIMIT.</summary>
    public abstract ValueTask<List<T>> ListAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>
    /// Returns the rows before the first one that maps to null; the rows behind it are not made. Only where
    /// <see cref="SendsAhead"/> is false.
    /// </summary>
    public virtual ValueTask<List<T>> ListUntilAsync<T>(string sql, Func<DbDataReader, T?> map, params object?[] args)
        where T : class =>
        throw new NotSupportedException("Rows are on their way already: the statement must bound them.");

    /// <summary>
    /// Queues a write whose result nobody needs. PostgreSQL gets it in one round trip with the next awaited statement,
    /// or with the commit, in the order of the calls. Its fault appears there, before the command is reported as done,
    /// and undoes the transaction like any other fault. SQLite runs it at once.
    /// </summary>
    public abstract void Queue(string sql, params object?[] args);

    /// <summary>Queues a write that must change one row. When it changes none, the transaction is undone.</summary>
    /// <param name="orElse">Makes the exception that the command then ends with.</param>
    /// <param name="sql">An INSERT, UPDATE or DELETE without RETURNING.</param>
    /// <param name="args">Its parameters.</param>
    public abstract void QueueOne(Func<Exception> orElse, string sql, params object?[] args);

    /// <summary>
    /// Asks like <see cref="FirstAsync{T}"/>, and reads the answer where it is awaited. The query sees what was queued
    /// before it, and nothing that is queued after it.
    /// </summary>
    public abstract Ahead<T?> FirstAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>Does the same for all rows (<see cref="ListAsync{T}"/>).</summary>
    public abstract Ahead<List<T>> ListAhead<T>(string sql, Func<DbDataReader, T> map, params object?[] args);

    /// <summary>
    /// Keeps what was read once in this transaction and is needed again and again. On SQLite one cache serves all
    /// commands of a batch, which commit together. Code that changes such a value removes it.
    /// </summary>
    public Dictionary<string, object> Cache { get; } = new(StringComparer.Ordinal);

    /// <summary>
    /// Announces a topic (a session's id, <see cref="Topics"/>) after this transaction has committed.
    /// </summary>
    public void Notify(string topic) => (_topics ??= []).Add(topic);

    /// <summary>Counts something after this transaction has committed (<see cref="Tally"/>).</summary>
    /// <param name="value">How often, or for a span its microseconds.</param>
    public void Count(string project, Measure measure, long value = 1) =>
        (_counted ??= []).Add(new Counted(project, measure, value));

    internal IReadOnlyList<Counted> Tallied => _counted ?? (IReadOnlyList<Counted>)[];

    internal IReadOnlyList<string> NotifiedTopics => _topics ?? (IReadOnlyList<string>)[];

    /// <summary>How much the transaction has announced and counted, so that a part of it can be undone.</summary>
    internal (int Topics, int Counted) Announced => (_topics?.Count ?? 0, _counted?.Count ?? 0);

    internal void ForgetAfter((int Topics, int Counted) keep)
    {
        _topics?.RemoveRange(keep.Topics, _topics.Count - keep.Topics);
        _counted?.RemoveRange(keep.Counted, _counted.Count - keep.Counted);
    }
}
