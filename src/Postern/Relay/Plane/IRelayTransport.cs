namespace Postern.Relay.Plane;

/// <summary>Carries frames between this server and a relay, by one connection or by requests.</summary>
internal interface IRelayTransport : IAsyncDisposable
{
    /// <summary>The name of the transport, for people.</summary>
    string Name { get; }

    /// <summary>
    /// Whether this transport has proved itself with a nonce. The relay's first frame then contains the nonce.
    /// </summary>
    bool Sent(string nonce);

    /// <summary>Sends a frame. Frames are sent one after the other.</summary>
    Task SendAsync(byte[] frame, CancellationToken cancel);

    /// <summary>Returns the next frame, or null when the other side has ended the connection.</summary>
    Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancel);

    /// <summary>When something last came from the other side: a timestamp of <see cref="TimeProvider"/>.</summary>
    long HeardAt { get; }

    /// <summary>Closes the connection with a code.</summary>
    Task CloseAsync(int code, string why);
}
