using System.Globalization;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// Brings a PostgreSQL database to the newest schema, while nodes of the previous version may be using it.
/// </summary>
internal sealed partial class PostgresUpgrade(NpgsqlDataSource source, Action<string>? says, CancellationToken cancel)
{
    /// <summary>How long an addition to a table may wait for its lock, and so hold up the commands behind it.</summary>
    private const string LockWait = "300ms";

    /// <summary>The blocks of 8 KiB that one transaction fills: some thousand rows, some 10 ms.</summary>
    private const int BlocksAtOnce = 256;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Returns the version that the database had.</summary>
    /// <exception cref="SchemaTooNewException"/>
    /// <exception cref="MigrationFailedException"/>
    public async Task<int> RunAsync(string databaseName)
    {
        await RefuseEncodingAsync();
        var had = await VersionAsync();
        Migrations.RefuseNewer(had, databaseName);
        if (had == Migrations.Newest && await StandsWhereItStoodAsync())
            return had;
        if (had > 0 && had < Migrations.Newest)
            says?.Invoke($"The database goes from schema {had} to {Migrations.Newest}. A large one may need minutes.");
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var turn = await TakeTurnAsync(connection);
        var version = await VersionAsync();
        Migrations.RefuseNewer(version, databaseName);
        if (version == 0)
            await FillAsync();
        foreach (var migration in Migrations.All.Where(m => version > 0 && m.Number > version))
        {
            try
            {
                await ChangeAsync(migration.Number, Migrations.StepsForPostgres(migration.Sql));
            }
            catch (NpgsqlException fault)
            {
                throw new MigrationFailedException(
                    $"The change {migration.Name} of the database's schema failed: {WhyOf(fault)} What was done before "
                        + "it is kept, and running nodes go on. Put it right and start again: it is continued.",
                    fault
                );
            }
        }
        if (!await StandsWhereItStoodAsync())
            await GoOnWithNewNumbersAsync();
        return had;
    }

    /// <exception cref="InvalidDataException">The database cannot hold every text.</exception>
    private async Task RefuseEncodingAsync()
    {
        await using var ask = source.CreateCommand("SELECT current_setting('server_encoding')");
        if (PostgresConnection.WhyNotIn((string)(await ask.ExecuteScalarAsync(cancel))!) is { } wrong)
            throw new InvalidDataException($"The database {wrong}");
    }

    /// <summary>
    /// Returns whether the database is in the same place as at its last start. A database made from a dump is not.
    /// Versions before this one stored no place; such a database is accepted as it is.
    /// </summary>
    private async Task<bool> StandsWhereItStoodAsync()
    {
        var here = await PlaceAsync();
        await using var say = source.CreateCommand(
            "INSERT INTO meta (name, number) VALUES ('place', $1) ON CONFLICT (name) DO NOTHING"
        );
        say.Parameters.Add(new NpgsqlParameter<long> { TypedValue = here });
        await say.ExecuteNonQueryAsync(cancel);
        return await NumberAsync("SELECT number FROM meta WHERE name = 'place'") == here;
    }

    /// <summary>
    /// Returns the number of the cluster with that of the database; only the latter where the cluster's is hidden.
    /// </summary>
    private async Task<long> PlaceAsync()
    {
        const string database = "SELECT oid::bigint FROM pg_database WHERE datname = current_database()";
        try
        {
            return await NumberAsync($"SELECT system_identifier # ({database}) FROM pg_control_system()");
        }
        catch (PostgresException fault) when (fault.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return await NumberAsync(database);
        }
    }

    /// <summary>
    /// Moves the numbers of a restored database to a range in which none was given (<see cref="RestoredNumbers"/>).
    /// </summary>
    public async Task GoOnWithNewNumbersAsync()
    {
        says?.Invoke("The database was restored: its records, messages and events go on with new numbers.");
        var now = await NumberAsync("SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint");
        foreach (var sql in RestoredNumbers.GoOnFrom(now))
            await FillRowsAsync(PostgresStep.Of(sql));
        await AloneAsync($"UPDATE meta SET number = {await PlaceAsync()} WHERE name = 'place'");
    }

    private async Task<long> NumberAsync(string sql)
    {
        await using var read = source.CreateCommand(sql);
        return Convert.ToInt64(await read.ExecuteScalarAsync(cancel) ?? 0L, CultureInfo.InvariantCulture);
    }

    private static string WhyOf(NpgsqlException fault) => (fault.InnerException ?? fault).Message;

    /// <summary>
    /// Waits until no other node changes the schema, and locks a row until the transaction ends. It waits without a
    /// snapshot.
    /// </summary>
    private async Task<NpgsqlTransaction> TakeTurnAsync(NpgsqlConnection connection)
    {
        await ExecuteAsync(
            connection,
            "INSERT INTO meta (name, number) VALUES ('schema_lock', 0), ('schema_version', 0), "
                + "('schema_step', 0) ON CONFLICT (name) DO NOTHING"
        );
        while (true)
        {
            var transaction = await connection.BeginTransactionAsync(cancel);
            bool isMine;
            await using (
                var take = new NpgsqlCommand(
                    "SELECT number FROM meta WHERE name = 'schema_lock' FOR UPDATE SKIP LOCKED",
                    connection
                )
            )
            {
                isMine = await take.ExecuteScalarAsync(cancel) is not null;
            }
            // One more command also releases the snapshot of the driver's last portal. A concurrent index build would
            // wait for that snapshot, and so for this connection, for ever.
            await ExecuteAsync(connection, "SET LOCAL idle_in_transaction_session_timeout = 0");
            if (isMine)
                return transaction;
            await transaction.DisposeAsync();
            await Task.Delay(Pause, TimeProvider.System, cancel);
        }
    }

    /// <summary>Fills an empty database in one transaction: no node uses it yet.</summary>
    private async Task FillAsync()
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await ExecuteAsync(connection, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
        foreach (var (_, name, sql) in Migrations.All)
        {
            try
            {
                foreach (var step in Migrations.StepsForPostgres(sql))
                    await ExecuteAsync(connection, step.Filled("true"));
            }
            catch (NpgsqlException fault)
            {
                throw new MigrationFailedException(
                    $"The change {name} of the database's schema failed: {WhyOf(fault)} Nothing of it is there. Put it "
                        + "right and start again.",
                    fault
                );
            }
        }
        await ExecuteAsync(connection, $"UPDATE meta SET number = {Migrations.Newest} WHERE name = 'schema_version'");
        await transaction.CommitAsync(cancel);
    }

    private async Task ChangeAsync(int number, IReadOnlyList<PostgresStep> steps)
    {
        var done = await StepsDoneAsync(number);
        for (var i = done; i < steps.Count; i++)
        {
            var mark = $"UPDATE meta SET number = {StepNumber(number, i + 1)} WHERE name = 'schema_step'";
            switch (steps[i].Kind)
            {
                case PostgresStepKind.BuildsIndex:
                    await BuildIndexAsync(steps[i]);
                    await AloneAsync(mark);
                    break;
                case PostgresStepKind.DropsIndex:
                    await AloneAsync(steps[i].Sql);
                    await AloneAsync(mark);
                    break;
                case PostgresStepKind.FillsRows:
                    await FillRowsAsync(steps[i]);
                    await AloneAsync(mark);
                    break;
                case PostgresStepKind.Changes:
                    await ChangeTableAsync(steps[i].Sql, mark);
                    break;
                default:
                    throw new InvalidOperationException($"Unknown kind {steps[i].Kind}.");
            }
        }
        await AloneAsync($"UPDATE meta SET number = {number} WHERE name = 'schema_version'");
    }

    private async Task<int> StepsDoneAsync(int number)
    {
        var step = (int)await NumberAsync("SELECT number FROM meta WHERE name = 'schema_step'");
        return step / 1000 == number ? step % 1000 : 0;
    }

    private static int StepNumber(int migration, int done) => migration * 1000 + done;

    /// <summary>Makes an addition to a table, and marks it as made, in one transaction.</summary>
    private async Task ChangeTableAsync(string sql, string mark)
    {
        var isSaid = false;
        while (true)
        {
            await using var connection = await source.OpenConnectionAsync(cancel);
            await using var transaction = await connection.BeginTransactionAsync(cancel);
            try
            {
                await ExecuteAsync(
                    connection,
                    $"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{LockWait}'"
                );
                await ExecuteAsync(connection, sql);
                await ExecuteAsync(connection, mark);
                await transaction.CommitAsync(cancel);
                return;
            }
            catch (PostgresException fault)
                when (fault.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
            {
                if (!isSaid)
                    says?.Invoke($"Waits until others leave the table alone: {FirstLineOf(sql)}");
                isSaid = true;
            }
            await Task.Delay(Pause, TimeProvider.System, cancel);
        }
    }

    /// <summary>An index that an interrupted start left half built is removed and built again.</summary>
    private async Task BuildIndexAsync(PostgresStep step)
    {
        await using var left = source.CreateCommand(
            $"""
            SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE c.oid = to_regclass('{step.Index}') AND NOT i.indisvalid
            """
        );
        if (await left.ExecuteScalarAsync(cancel) is not null)
            await AloneAsync($"DROP INDEX CONCURRENTLY IF EXISTS {step.Index}");
        await AloneAsync(step.Sql);
    }

    /// <summary>
    /// Fills in rows by ranges of the table's blocks. Updated rows move to other blocks and may be met twice, so such a
    /// statement must give the same result each time.
    /// </summary>
    private async Task FillRowsAsync(PostgresStep step)
    {
        var blocks = await NumberAsync(
            $"SELECT pg_relation_size('{step.Table}') / current_setting('block_size')::bigint"
        );
        for (long from = 0; from <= blocks; from += BlocksAtOnce)
        {
            var range =
                $"{step.Table}.ctid >= '({from},0)'::tid AND {step.Table}.ctid < '({from + BlocksAtOnce},0)'::tid";
            await AloneAsync(step.Filled(range));
        }
    }

    private async Task AloneAsync(string sql)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        // For the whole session, because a concurrent build runs in no transaction. Only the upgrade uses these
        // connections.
        await ExecuteAsync(connection, "SET statement_timeout = 0; SET lock_timeout = 0");
        await ExecuteAsync(connection, sql);
    }

    private async Task<int> VersionAsync()
    {
        try
        {
            return await ReadAsync();
        }
        catch (PostgresException fault) when (fault.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            await CreateMetaAsync();
            return await ReadAsync();
        }

        async Task<int> ReadAsync()
        {
            return (int)await NumberAsync(Migrations.ReadVersion);
        }
    }

    private async Task CreateMetaAsync()
    {
        try
        {
            await using var create = source.CreateCommand(Migrations.CreateMetaFor("bytea"));
            await create.ExecuteNonQueryAsync(cancel);
        }
        catch (PostgresException fault)
            when (fault.SqlState
                    is PostgresErrorCodes.UniqueViolation
                        or PostgresErrorCodes.DuplicateTable
                        or PostgresErrorCodes.DuplicateObject
            )
        {
            // Another node created it at the same moment.
        }
    }

    private async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private static string FirstLineOf(string sql) => sql.Split('\n')[0];
}
