namespace Postern.Storage;

/// <summary>
/// One kind of database that the product runs on: how it is opened, what is weak in its connection, what its faults
/// mean. The command line asks here, so that another kind is a driver, a <see cref="Database"/>, its <see cref="Tx"/>,
/// and how migrations are spelt for it.
/// </summary>
internal abstract class DatabaseDriver
{
    /// <summary>The database in the data folder, which nobody names.</summary>
    public static DatabaseDriver Embedded { get; } = new SqliteDriver();

    /// <summary>Those that are named by a URL or a connection string.</summary>
    private static IReadOnlyList<DatabaseDriver> Named { get; } = [new PostgresDriver()];

    private static IEnumerable<DatabaseDriver> All => [Embedded, .. Named];

    /// <summary>The driver of a place; null names the embedded database.</summary>
    public static DatabaseDriver Of(string? place) => place is null ? Embedded : Named.First(d => d.Opens(place));

    /// <summary>Reads what an operator wrote as the place that the driver's own code opens.</summary>
    /// <exception cref="FormatException">What is wrong with it, in words that hold no password.</exception>
    public static string Read(string text) => (Named.FirstOrDefault(d => d.Opens(text)) ?? Named[0]).ReadPlace(text);

    /// <summary>What a fault of one of the databases means, and what to do about it; null when it is none.</summary>
    public static string? WordsOf(Exception fault) =>
        All.Select(d => d.Explain(fault)).FirstOrDefault(w => w is not null);

    /// <summary>Returns whether a text names a database of this kind.</summary>
    protected abstract bool Opens(string text);

    /// <inheritdoc cref="Read"/>
    protected abstract string ReadPlace(string text);

    /// <inheritdoc cref="WordsOf"/>
    protected abstract string? Explain(Exception fault);

    /// <summary>Opens it to be served, brought to this binary's schema.</summary>
    /// <param name="place">A file, or a connection string.</param>
    /// <param name="says">Told once that an existing database is changed, which may take its time.</param>
    public abstract Task<Database> OpenAsync(
        string place,
        TimeProvider clock,
        Action<string> says,
        CancellationToken cancel
    );

    /// <summary>Opens it to be looked at, as it is.</summary>
    public abstract Database Look(string place);

    /// <summary>What to do when it cannot be looked at.</summary>
    public abstract string AdviceOn(Exception fault);

    /// <summary>How far this machine's clock is off what the database knows of the time.</summary>
    /// <param name="here">This machine's, in microseconds.</param>
    public abstract ValueTask<TimeSpan> ClockOffAsync(Database database, long here);

    /// <summary>What could be read or forged on the way to it; null when nothing could.</summary>
    public virtual string? WhatIsWeakIn(string place) => null;
}
