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
        var database = new PostgresDatabase(await PostgresConnection.FitAsync(place, cancel), clock);
        await database.StartAsync(cancel);
        await PostgresPositions.ResumeAsync(database, cancel);
        return database;
    }

    public override Database Look(string place) => new PostgresDatabase(place, TimeProvider.System);

    public override string AdviceOn(Exception fault) =>
        PostgresConnection.IsOfTls(fault.InnerException)
            ? PostgresConnection.TlsAdvice
            : "Check --database, and that the server runs and lets this machine in.";

    public override ValueTask<bool> IsEmptyAsync(Database database) =>
        database.ReadAsync(tx => tx.FirstAsync("SELECT to_regclass('meta') IS NULL", r => r.GetBoolean(0)));

    public override async ValueTask<IReadOnlyList<string>> UnfitAsync(Database database)
    {
        var (encoding, readsOnly, stands, makes) = await database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT current_setting('server_encoding'), current_setting('default_transaction_read_only') = 'on',
                       pg_is_in_recovery(),
                       to_regclass('meta') IS NOT NULL
                       OR COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)
                """,
                r => (r.GetString(0), r.GetBoolean(1), r.GetBoolean(2), r.GetBoolean(3))
            )
        );
        var faults = new List<string>();
        if (PostgresConnection.WhyNotIn(encoding) is { } wrong)
            faults.Add(wrong);
        if (stands)
            faults.Add($"takes no writes. {AdviceOf(PostgresErrorCodes.ReadOnlySqlTransaction)}");
        else if (readsOnly)
            faults.Add("takes no writes: default_transaction_read_only is on for this database or its user");
        if (!makes)
            faults.Add($"lets its user make no tables. {AdviceOf(PostgresErrorCodes.InsufficientPrivilege)}");
        return faults;
    }

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
