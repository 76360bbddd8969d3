namespace Postern.Storage;

/// <summary>
/// The signal that a loop waits for between two polls. The loop polls again when it is signalled, or by itself after a
/// while. Several signals before a wait cause one poll. It holds nothing that must be released, so signalling a loop
/// that has ended does nothing.
/// </summary>
internal sealed class AsyncSignal
{
    private TaskCompletionSource _told = New();

    public void Set() => Volatile.Read(ref _told).TrySetResult();

    /// <summary>Waits until it is signalled, or for <paramref name="atMost"/>.</summary>
    /// <exception cref="OperationCanceledException">The loop is to end.</exception>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken stop)
    {
        var told = Volatile.Read(ref _told);
        if (!told.Task.IsCompleted)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop);
            await Task.WhenAny(Task.Delay(atMost, clock, either.Token), told.Task);
            await either.CancelAsync();
        }
        // A signal from here on is for the next wait. An earlier one is covered by the poll that follows.
        if (told.Task.IsCompleted)
            Interlocked.CompareExchange(ref _told, New(), told);
        stop.ThrowIfCancellationRequested();
    }

    /// <summary>The waiting loop continues on another thread than the one that signals.</summary>
    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
