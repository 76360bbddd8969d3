namespace Postern.Storage;

/// <summary>
/// What a loop waits on between two looks: it looks again when it is told to, or by itself after a while. Told any number of times
/// before it waits, it looks once.
/// </summary>
internal sealed class Hint : IDisposable
{
    private readonly SemaphoreSlim _told = new(0, 1);

    public void Set()
    {
        try
        {
            _told.Release();
        }
        catch (SemaphoreFullException)
        {
            // A look is due already.
        }
    }

    /// <summary>Until it is told, or for <paramref name="atMost"/>.</summary>
    /// <exception cref="OperationCanceledException">The loop is to end.</exception>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken stop)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await Task.WhenAny(Task.Delay(atMost, clock, either.Token), _told.WaitAsync(either.Token));
        await either.CancelAsync();
        stop.ThrowIfCancellationRequested();
    }

    public void Dispose() => _told.Dispose();
}
