namespace Postern.Relay.Server;

/// <summary>
/// The way to one node of a plane: a WebSocket, or polls. One sends at a time; whatever arrives is life.
/// </summary>
internal abstract class PlaneLink(TimeProvider clock)
{
    private long _heardAt = clock.GetTimestamp();

    /// <summary>One of <see cref="ConnectionRow"/>.</summary>
    public abstract string Transport { get; }

    /// <summary>How long nothing has come.</summary>
    public TimeSpan Silence => Clock.GetElapsedTime(Interlocked.Read(ref _heardAt));

    protected TimeProvider Clock { get; } = clock;

    public void Heard() => Interlocked.Exchange(ref _heardAt, Clock.GetTimestamp());

    /// <summary>Sends a frame; it returns when there is room for the next.</summary>
    public abstract Task SendAsync(byte[] frame, CancellationToken stop);

    /// <summary>The next frame; null when the other side has ended.</summary>
    public abstract Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken stop);

    /// <summary>Ends it, and says why if that can still be said.</summary>
    public abstract Task CloseAsync(int code, string reason);

    /// <summary>Whether a fault says no more than that the other side, or this one, has ended.</summary>
    public static bool IsCut(Exception fault) =>
        fault
            is OperationCanceledException
                or IOException
                or System.Net.WebSockets.WebSocketException
                or ObjectDisposedException;
}
