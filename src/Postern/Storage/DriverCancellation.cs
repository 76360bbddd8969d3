namespace Postern.Storage;

/// <summary>
/// Passes a cancellation on to PostgreSQL's driver. The driver throws out of its own callback where it is cancelled in
/// the moment in which its connection is put down; out of a timer that would end the process.
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

    /// <summary>What the driver is given.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>One where there is something to pass on; null otherwise.</summary>
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
            // The connection is gone: nothing is left that could be interrupted.
        }
    }
}
