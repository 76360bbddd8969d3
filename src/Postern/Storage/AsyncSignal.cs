namespace Postern.Storage;

/// <summary>
/// What a loop waits on between two looks: it looks again when it is told to, or by itself after a while. Told any
/// number of times before it waits, it looks once. It holds nothing that must be given back, so telling one whose loop
/// has ended does nothing.
/// </summary>
internal sealed class AsyncSignal
{
    private TaskCompletionSource _told = New();

    public void Set() => Volatile.Read(ref _told).TrySetResult();

    /// <summary>Until it is told, or for <paramref name="atMost"/>.</summary>
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
        // What is told from here on is for the next wait; what was told until here, the look that follows sees.
        if (told.Task.IsCompleted)
            Interlocked.CompareExchange(ref _told, New(), told);
        stop.ThrowIfCancellationRequested();
    }

    /// <summary>Whoever waits goes on elsewhere than on the thread that tells.</summary>
    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
