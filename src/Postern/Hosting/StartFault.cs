using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using Postern.Storage;
using SQLitePCL;

namespace Postern.Hosting;

/// <summary>What keeps a command from its database, in one sentence that says what to do.</summary>
internal static class StartFault
{
    public static string Words(Exception fault) =>
        fault switch
        {
            PostgresException refused => $"PostgreSQL refuses: {refused.MessageText}. {AdviceOf(refused.SqlState)}",
            NpgsqlException =>
                $"PostgreSQL cannot be reached: {Reason(fault)}. Check --database, and that the server runs "
                    + "and lets this machine in.",
            SqliteException embedded =>
                $"The embedded database cannot be used: {embedded.Message} {AdviceOf(embedded)}",
            StorageUnavailableException { InnerException: DbException inner } => Words(inner),
            _ => fault.Message,
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
