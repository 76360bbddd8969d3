namespace Postern.Relay.Protocol;

/// <summary>The relay's first frame on every connection.</summary>
internal sealed record ReadyHead : FrameHead
{
    public required string Relay { get; init; }
    public required string Plane { get; init; }
    public required string Connection { get; init; }

    /// <summary>
    /// The plane's nonce of the handshake. A recorded frame of an earlier connection has another one.
    /// </summary>
    public required string Nonce { get; init; }

    /// <summary>The relay's time, in milliseconds since 1970.</summary>
    public required long Time { get; init; }

    /// <summary>Whether this connection is given envelopes.</summary>
    public required bool Holder { get; init; }

    /// <summary>The version of the list of doors that the relay has; 0 when it has none.</summary>
    public required long Doors { get; init; }
    public required OpenNumbers Open { get; init; }

    /// <summary>How long the relay keeps an envelope.</summary>
    public required long MaxAgeSeconds { get; init; }
    public required BacklogQuota Quota { get; init; }
    public required BacklogSize Backlog { get; init; }

    /// <summary>The key that the relay will sign with after this one.</summary>
    public string? NextKey { get; init; }
}
