namespace Postern.Storage;

/// <summary>
/// The numbers of what people follow by a cursor (<see cref="Tx.NextPosition"/>). One sequence gives them to all nodes.
///
/// A number is taken inside the transaction, under the locks of what happened, so an effect has a greater number than
/// its cause. But transactions may end in another order than they took their numbers. A reader that has read up to 7
/// while 6 was still open would never see 6. So readers see nothing beyond the number up to which everything is known.
/// Finding it costs the writers nothing: read the last number, then find who holds the table's lock for writing. The
/// lock is taken before the number and released after the commit, so every open transaction with a number up to that
/// one is among them. When they have ended, everything up to that number is committed or will never exist. Transactions
/// of other databases or other tables hold up nothing.
/// </summary>
internal sealed class PostgresPositions(TimeProvider clock)
{
    public const string Next = "nextval('event_positions')";

    private const string Last = "SELECT last_value FROM event_positions";

    private const string Writers = """
        SELECT virtualtransaction FROM pg_locks
        WHERE locktype = 'relation' AND relation = 'event'::regclass AND mode = 'RowExclusiveLock'
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """;

    /// <summary>
    /// Numbers begin with the time, so that a restored database does not give a number that it gave before. They begin
    /// at least one second ahead, so that none is given between the check and the change. Nodes that start together
    /// take turns.
    /// </summary>
    private const string GoOn = """
        SELECT setval('event_positions', now.at) FROM event_positions,
          (SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint AS at) AS now
        WHERE last_value + 1000000 < now.at
        """;

    private const string OneStartAtATime = "SELECT pg_advisory_xact_lock(hashtext('event_positions')) IS NULL";

    /// <summary>How long a reader waits for the writers, and how often it checks.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(5);

    private long _settled = -1;

    /// <summary>Runs before a node writes its first number.</summary>
    public static async Task ResumeAsync(Database database, CancellationToken cancel) =>
        await database.WriteAsync(
            async tx =>
            {
                await tx.ExecuteAsync(OneStartAtATime);
                return await tx.FirstAsync(GoOn, r => r.GetInt64(0));
            },
            cancel
        );

    /// <summary>Returns the number up to which nothing more is added.</summary>
    /// <exception cref="StorageBusyException">
    /// Somebody who writes has not ended, and this node knows of no earlier number.</exception>
    public async ValueTask<long> SettledAsync(PostgresTx tx, CancellationToken cancel)
    {
        var last = await tx.FirstAsync(Last, r => r.GetInt64(0));
        var writers = (await WritersAsync(tx)).ToHashSet(StringComparer.Ordinal);
        var began = clock.GetTimestamp();
        while (writers.Count > 0)
        {
            if (clock.GetElapsedTime(began) > Patience)
            {
                var known = Interlocked.Read(ref _settled);
                if (known >= 0)
                    return Math.Min(known, last);
                throw new StorageBusyException("A transaction that writes events has not ended.");
            }
            await Task.Delay(PollInterval, clock, cancel);
            writers.IntersectWith(await WritersAsync(tx));
        }
        InterlockedMax(last);
        return last;
    }

    private static ValueTask<List<string>> WritersAsync(PostgresTx tx) => tx.ListAsync(Writers, r => r.GetString(0));

    private void InterlockedMax(long settled)
    {
        var known = Interlocked.Read(ref _settled);
        while (known < settled && Interlocked.CompareExchange(ref _settled, settled, known) is var now && now != known)
            known = now;
    }
}
