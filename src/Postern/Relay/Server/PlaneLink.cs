namespace Postern.Relay.Server;

/// <summary>
/// The link to one node of a plane: a WebSocket, or polls. One thread sends at a time. Whatever arrives counts as life.
/// </summary>
internal abstract class PlaneLink(TimeProvider clock)
{
    private long _heardAt = clock.GetTimestamp();

    /// <summary>One of <see cref="ConnectionRow"/>.</summary>
    public abstract string Transport { get; }

    /// <summary>How long ago something last arrived.</summary>
    public TimeSpan Silence => Clock.GetElapsedTime(Interlocked.Read(ref _heardAt));

    protected TimeProvider Clock { get; } = clock;

    public void Heard() => Interlocked.Exchange(ref _heardAt, Clock.GetTimestamp());

    /// <summary>Sends a frame. It returns when there is room for the next one.</summary>
    public abstract Task SendAsync(byte[] frame, CancellationToken stop);

    /// <summary>Returns the next frame, or null when the other side has ended the connection.</summary>
    public abstract Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken stop);

    /// <summary>Ends the connection, and sends the reason if that is still possible.</summary>
    public abstract Task CloseAsync(int code, string reason);

    /// <summary>Returns whether a fault only means that one of the sides has ended the connection.</summary>
    public static bool IsCut(Exception fault) =>
        fault
            is OperationCanceledException
                or IOException
                or System.Net.WebSockets.WebSocketException
                or ObjectDisposedException;
}
