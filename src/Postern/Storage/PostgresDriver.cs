using Npgsql;

namespace Postern.Storage;

/// <summary>PostgreSQL, named by a <c>postgres://</c> URL or by the driver's connection string.</summary>
internal sealed class PostgresDriver : DatabaseDriver
{
    protected override bool Opens(string text) =>
        PostgresUrl.Is(text) || !text.Contains("://", StringComparison.Ordinal);

    protected override string ReadPlace(string text) => PostgresConnection.Read(text);

    public override async Task<Database> OpenAsync(
        string place,
        TimeProvider clock,
        Action<string> says,
        CancellationToken cancel
    )
    {
        await Migrations.ApplyToPostgresAsync(place, cancel, says);
        var database = new PostgresDatabase(place, clock);
        await database.StartAsync(cancel);
        await PostgresPositions.ResumeAsync(database, cancel);
        return database;
    }

    public override Database Look(string place) => new PostgresDatabase(place, TimeProvider.System);

    public override string AdviceOn(Exception fault) =>
        PostgresConnection.IsOfTls(fault.InnerException)
            ? PostgresConnection.TlsAdvice
            : "Check --database, and that the server runs and lets this machine in.";

    public override async ValueTask<TimeSpan> ClockOffAsync(Database database, long here)
    {
        var there = await database.ReadAsync(tx =>
            tx.FirstAsync("SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint", r => r.GetInt64(0))
        );
        return TimeSpan.FromMicroseconds(Math.Abs(here - there));
    }

    public override string? WeaknessOf(string place) => PostgresConnection.WeaknessOf(place);

    protected override string? Explain(Exception fault) =>
        fault switch
        {
            PostgresException refused => $"PostgreSQL refuses: {refused.MessageText}. {AdviceOf(refused.SqlState)}",
            NpgsqlException when PostgresConnection.IsOfTls(fault) =>
                $"The database could not prove who it is: {(fault.InnerException ?? fault).Message} "
                    + PostgresConnection.TlsAdvice,
            NpgsqlException =>
                $"PostgreSQL cannot be reached: {Reason(fault)}. Check --database, and that the server runs "
                    + "and lets this machine in.",
            _ => null,
        };

    private static string Reason(Exception fault)
    {
        var reason = fault.InnerException is { } inner ? $"{fault.Message}: {inner.Message}" : fault.Message;
        return reason.TrimEnd('.');
    }

    private static string AdviceOf(string state) =>
        state switch
        {
            PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification =>
                "Check the user and the password of --database, and pg_hba.conf.",
            PostgresErrorCodes.InvalidCatalogName => "Make it with createdb, or name another in --database.",
            PostgresErrorCodes.InsufficientPrivilege =>
                "Let the user make tables there: GRANT CREATE ON SCHEMA public TO USER.",
            PostgresErrorCodes.TooManyConnections =>
                "Raise max_connections there, or lower Maximum Pool Size in --database.",
            PostgresErrorCodes.ReadOnlySqlTransaction =>
                "It is a standby: name the primary in --database, or all hosts, separated by commas.",
            _ => "Check --database.",
        };
}
