namespace Postern.Storage;

/// <summary>
/// Passes a cancellation on to PostgreSQL's driver. The driver's own callback throws when it is cancelled at the moment
/// its connection is closed. Thrown from a timer, that would end the process.
/// </summary>
internal sealed class DriverCancellation : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly CancellationTokenRegistration _passing;

    /// <param name="from">May be cancelled by a timer.</param>
    public DriverCancellation(CancellationToken from)
    {
        _passing = from.UnsafeRegister(static passing => ((DriverCancellation)passing!).Cancel(), this);
    }

    /// <summary>The token for the driver.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Returns one when there is something to pass on, else null.</summary>
    public static DriverCancellation? Of(CancellationToken from) =>
        from.CanBeCanceled ? new DriverCancellation(from) : null;

    public void Dispose()
    {
        _passing.Dispose();
        _source.Dispose();
    }

    private void Cancel()
    {
        try
        {
            _source.Cancel();
        }
        catch (AggregateException)
        {
            // The connection is gone, so nothing is left to interrupt.
        }
    }
}
