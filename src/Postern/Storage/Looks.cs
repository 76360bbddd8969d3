namespace Postern.Storage;

/// <summary>
/// A loop that looks for what is overdue, each second, and once a minute sweeps away what has been kept long enough. A fault in one look does
/// not end the looking; while the database is away it waits.
/// </summary>
internal abstract class PeriodicLook(TimeProvider clock, ILogger log) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);

    /// <summary>How many are settled at once.</summary>
    protected const int Page = 100;

    protected ILogger Log { get; } = log;

    protected abstract Task LookAsync(CancellationToken stop);

    /// <summary>
    /// Settles all that is due, page after page; those of a page at once, so that their commits are gathered.
    /// </summary>
    /// <param name="find">A page of <see cref="Page"/>, those first that are due longest.</param>
    /// <param name="settle">False: it could not be settled.</param>
    /// <param name="stop">Ends it between two pages.</param>
    protected static async Task AllAsync<T>(
        Func<ValueTask<List<T>>> find, Func<T, Task<bool>> settle, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var due = await find();
            var settled = await Task.WhenAll(due.Select(settle));
            // What could not be settled is tried by the next look.
            if (due.Count < Page || !settled.Contains(true)) return;
        }
    }

    protected virtual Task SweepAsync(CancellationToken stop) => Task.CompletedTask;

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        var swept = 0L;
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await LookAsync(stoppingToken);
                    if (swept != 0 && clock.GetElapsedTime(swept) < SweepEvery) continue;
                    swept = clock.GetTimestamp();
                    await SweepAsync(stoppingToken);
                }
                catch (StorageUnavailableException fault)
                {
                    LookLog.Waits(Log, GetType().Name, fault.Message);
                }
                catch (Exception fault) when (fault is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
                {
                    LookLog.Failed(Log, GetType().Name, fault);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server is stopping.
        }
    }

    /// <summary>One of what a look has found: what goes wrong with it keeps no other waiting.</summary>
    protected Task OneAsync(string id, Func<Task> act) =>
        OneAsync(id, async () =>
        {
            await act();
            return true;
        });

    /// <summary>The same; false also when it went wrong.</summary>
    protected async Task<bool> OneAsync(string id, Func<Task<bool>> act)
    {
        try
        {
            return await act();
        }
        // A row that somebody holds is one that could not be settled: the others are.
        catch (Exception fault) when (fault is StorageBusyException or not StorageUnavailableException)
        {
            LookLog.OneFailed(Log, id, fault);
            return false;
        }
    }
}

/// <summary>A loop that looks when a commit says that there is something, and by itself where no hint comes. It goes on at once while it finds something.</summary>
internal abstract class HintedLook(Database database, string topic, TimeProvider clock, ILogger log) : BackgroundService
{
    protected static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    protected Database Database { get; } = database;

    protected ILogger Log { get; } = log;

    /// <summary>Set when there is room for more, beside what commits say.</summary>
    protected Hint Due { get; } = new();

    /// <summary>True: it found something, and looks again before it waits.</summary>
    protected abstract Task<bool> LookAsync(CancellationToken stop);

    /// <summary>How long until it looks by itself.</summary>
    protected virtual TimeSpan NextLook => LookEvery;

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var listening = Database.Changes.Listen(topic, Due.Set);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!await LookAsync(stoppingToken)) await Due.WaitAsync(NextLook, clock, stoppingToken);
                continue;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (StorageUnavailableException fault)
            {
                LookLog.Waits(Log, GetType().Name, fault.Message);
            }
            catch (Exception fault)
            {
                LookLog.Failed(Log, GetType().Name, fault);
            }
            await Task.Delay(LookEvery, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}

internal static partial class LookLog
{
    [LoggerMessage(EventId = 600, Level = LogLevel.Warning, Message = "{Loop} waits for the database: {Reason}")]
    public static partial void Waits(ILogger log, string loop, string reason);

    [LoggerMessage(EventId = 601, Level = LogLevel.Error, Message = "{Loop} failed in one look and goes on")]
    public static partial void Failed(ILogger log, string loop, Exception fault);

    [LoggerMessage(EventId = 602, Level = LogLevel.Error, Message = "{Id} is overdue and could not be settled; it is tried again")]
    public static partial void OneFailed(ILogger log, string id, Exception fault);
}
