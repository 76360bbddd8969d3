using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Postern.Storage;

/// <summary>The embedded database: a SQLite file in the data folder.</summary>
internal sealed class SqliteDriver : DatabaseDriver
{
    protected override bool Opens(string text) => false;

    protected override string ReadPlace(string text) => throw new FormatException("names no embedded database");

    public override Task<Database> OpenAsync(
        string place,
        TimeProvider clock,
        Action<string> says,
        CancellationToken cancel
    )
    {
        Migrations.ApplyToSqlite(place);
        return Task.FromResult<Database>(new SqliteDatabase(place, clock));
    }

    public override Database Look(string place) => new SqliteDatabase(place, TimeProvider.System);

    public override string AdviceOn(Exception fault) => "Is the disk full, or the file another user's?";

    /// <summary>The file has no clock of its own, but nothing in it may be from the future.</summary>
    public override async ValueTask<TimeSpan> ClockOffAsync(Database database, long here)
    {
        var there = await database.ReadAsync(tx =>
            tx.FirstAsync("SELECT COALESCE(MAX(at), 0) FROM audit", r => r.GetInt64(0))
        );
        return TimeSpan.FromMicroseconds(Math.Max(0, there - here));
    }

    protected override string? Explain(Exception fault) =>
        fault is SqliteException embedded
            ? $"The embedded database cannot be used: {embedded.Message} {AdviceOf(embedded)}"
            : null;

    private static string AdviceOf(SqliteException fault) =>
        fault.SqliteErrorCode switch
        {
            raw.SQLITE_NOTADB or raw.SQLITE_CORRUPT =>
                "It is damaged, or no database: restore the last backup with postern restore FILE --force.",
            raw.SQLITE_FULL => "Make room on the disk.",
            raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_PERM =>
                "Give the folder of --data and its files to the user that runs postern.",
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => "Another program holds it: end that first.",
            _ => "postern doctor says more.",
        };
}
