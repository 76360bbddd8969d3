namespace Postern.Relay.Plane;

/// <summary>Carries frames between this server and a relay, by one connection or by requests.</summary>
internal interface IRelayTransport : IAsyncDisposable
{
    /// <summary>How it carries them: for people.</summary>
    string Name { get; }

    /// <summary>Whether this transport has proved itself with a nonce: the relay's first frame holds it.</summary>
    bool Sent(string nonce);

    /// <summary>Sends a frame; one after the other.</summary>
    Task SendAsync(byte[] frame, CancellationToken cancel);

    /// <summary>The next frame; null once the other side has ended.</summary>
    Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancel);

    /// <summary>When the other side was last heard, a timestamp of the clock.</summary>
    long HeardAt { get; }

    /// <summary>Says goodbye with a code.</summary>
    Task CloseAsync(int code, string why);
}
