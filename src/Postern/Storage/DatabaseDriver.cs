namespace Postern.Storage;

/// <summary>
/// A kind of database that the product runs on: how it is opened, what is weak in its connection, what its faults mean.
/// The command line asks here. Another kind needs a driver, a <see cref="Database"/>, its <see cref="Tx"/>, and the
/// spelling of its migrations.
/// </summary>
internal abstract class DatabaseDriver
{
    /// <summary>The database in the data folder. It needs no name.</summary>
    public static DatabaseDriver Embedded { get; } = new SqliteDriver();

    /// <summary>The kinds that are named by a URL or a connection string.</summary>
    private static IReadOnlyList<DatabaseDriver> Named { get; } = [new PostgresDriver()];

    private static IEnumerable<DatabaseDriver> All => [Embedded, .. Named];

    /// <summary>The driver of a place; null names the embedded database.</summary>
    public static DatabaseDriver Of(string? place) => place is null ? Embedded : Named.First(d => d.Opens(place));

    /// <summary>Turns the text of an operator into the form that the driver's own code opens.</summary>
    /// <exception cref="FormatException">What is wrong with it, in words that hold no password.</exception>
    public static string Read(string text) => (Named.FirstOrDefault(d => d.Opens(text)) ?? Named[0]).ReadPlace(text);

    /// <summary>
    /// Returns what a fault of one of the databases means and what to do, or null when it is no such fault.
    /// </summary>
    public static string? ExplainAny(Exception fault) =>
        All.Select(d => d.Explain(fault)).FirstOrDefault(w => w is not null);

    /// <summary>Returns whether a text names a database of this kind.</summary>
    protected abstract bool Opens(string text);

    /// <inheritdoc cref="Read"/>
    protected abstract string ReadPlace(string text);

    /// <inheritdoc cref="ExplainAny"/>
    protected abstract string? Explain(Exception fault);

    /// <summary>Opens it to serve from it, after bringing it to this binary's schema.</summary>
    /// <param name="place">A file, or a connection string.</param>
    /// <param name="says">Told once that an existing database is changed, which may take its time.</param>
    public abstract Task<Database> OpenAsync(
        string place,
        TimeProvider clock,
        Action<string> says,
        CancellationToken cancel
    );

    /// <summary>Opens it as it is, to read it.</summary>
    public abstract Database Look(string place);

    /// <summary>Returns what to do when it cannot be read.</summary>
    public abstract string AdviceOn(Exception fault);

    /// <summary>Returns why the database as it is cannot be served from, one sentence a fault.</summary>
    public virtual ValueTask<IReadOnlyList<string>> UnfitAsync(Database database) => new([]);

    /// <summary>Returns whether nothing was ever stored in it: the first start makes its tables.</summary>
    public virtual ValueTask<bool> IsEmptyAsync(Database database) => new(false);

    /// <summary>Returns how far this machine's clock is from the time that the database knows.</summary>
    /// <param name="here">This machine's, in microseconds.</param>
    public abstract ValueTask<TimeSpan> ClockOffAsync(Database database, long here);

    /// <summary>Returns what could be read or forged on the way to the database, or null when nothing could.</summary>
    public virtual string? WeaknessOf(string place) => null;
}
