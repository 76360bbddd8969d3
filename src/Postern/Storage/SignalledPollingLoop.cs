namespace Postern.Storage;

/// <summary>
/// A loop that looks when a commit signals it, and by itself now and then. As long as it finds something, it looks
/// again at once.
/// </summary>
internal abstract class SignalledPollingLoop(Database database, string topic, TimeProvider clock, ILogger log)
    : BackgroundService
{
    protected static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    protected Database Database { get; } = database;

    protected ILogger Log { get; } = log;

    /// <summary>Set when there is room for more, in addition to the signals of commits.</summary>
    protected AsyncSignal Due { get; } = new();

    /// <summary>Returns true when it found something; then it looks again before it waits.</summary>
    protected abstract Task<bool> PollAsync(CancellationToken stop);

    /// <summary>The longest time between two looks.</summary>
    protected virtual TimeSpan NextLook => LookEvery;

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var listening = Database.Changes.Listen(topic, Due.Set);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!await PollAsync(stoppingToken))
                    await Due.WaitAsync(NextLook, clock, stoppingToken);
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
