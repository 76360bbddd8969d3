namespace Postern.Storage;

/// <summary>
/// A loop that polls when a commit signals it, and by itself now and then. As long as it finds something, it polls
/// again at once.
/// </summary>
internal abstract class SignalledPollingLoop(Database database, string topic, TimeProvider clock, ILogger log)
    : BackgroundService
{
    protected static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    protected Database Database { get; } = database;

    protected ILogger Log { get; } = log;

    /// <summary>Set when there is room for more, in addition to the signals of commits.</summary>
    protected AsyncSignal Due { get; } = new();

    /// <summary>Returns true when it found something; then it polls again before it waits.</summary>
    protected abstract Task<bool> PollAsync(CancellationToken stop);

    /// <summary>The longest time between two polls.</summary>
    protected virtual TimeSpan NextPoll => PollInterval;

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var listening = Database.Changes.Listen(topic, Due.Set);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!await PollAsync(stoppingToken))
                    await Due.WaitAsync(NextPoll, clock, stoppingToken);
                continue;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (StorageUnavailableException fault)
            {
                PollLog.Waits(Log, GetType().Name, fault.Message);
            }
            catch (Exception fault)
            {
                PollLog.Failed(Log, GetType().Name, fault);
            }
            await Task.Delay(PollInterval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
