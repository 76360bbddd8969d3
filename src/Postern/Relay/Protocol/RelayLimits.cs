namespace Postern.Relay.Protocol;

/// <summary>Bounds that both sides keep, and hold the other to.</summary>
internal static class RelayLimits
{
    public const string SubProtocol = "postern.relay.v1";

    /// <summary>Bytes of a frame's head, one line of JSON.</summary>
    public const int Head = 48 * 1024;

    /// <summary>Bytes of a frame in all.</summary>
    public const int Frame = 1536 * 1024;

    /// <summary>Bytes of the fragments that a message is sent in, and of the buffer it is received with.</summary>
    public const int Fragment = 16 * 1024;

    /// <summary>Bytes of a plane's answer; more is a 502 to the caller.</summary>
    public const int Answer = 64 * 1024;

    /// <summary>Doors of one plane.</summary>
    public const int Doors = 5_000;

    /// <summary>Envelopes of one lane that are offered and unanswered.</summary>
    public const int OpenOfLane = 16;

    /// <summary>The same of a connection.</summary>
    public const int Open = 256;

    /// <summary>So many are open before a lane is given one behind another that is unanswered.</summary>
    public const int OpenAhead = 64;

    /// <summary>Bytes of the envelopes that are offered and unanswered on a connection.</summary>
    public const int OpenBytes = 8 * 1024 * 1024;

    /// <summary>Bytes that one answer to a poll brings, but for a frame that is larger alone.</summary>
    public const int Poll = 1024 * 1024;

    /// <summary>Open questions of one plane.</summary>
    public const int Pages = 10_000;

    /// <summary>Bytes of them together, sealed.</summary>
    public const int PageBytes = 64 * 1024 * 1024;

    /// <summary>Bytes of one, sealed.</summary>
    public const int Page = 512 * 1024;

    /// <summary>Bytes of how a question ended, sealed.</summary>
    public const int PageOutcome = 16 * 1024;

    /// <summary>Bytes of a person's answer as it is sent.</summary>
    public const int PageAnswer = 64 * 1024;

    /// <summary>How far a handshake's time may be from the relay's.</summary>
    public static readonly TimeSpan Skew = TimeSpan.FromSeconds(300);

    /// <summary>How long a nonce is remembered: longer than a handshake is accepted.</summary>
    public static readonly TimeSpan NonceKept = TimeSpan.FromSeconds(600 + 60);

    /// <summary>A ping goes out when nothing else did for so long.</summary>
    public static readonly TimeSpan Ping = TimeSpan.FromSeconds(10);

    /// <summary>Without a byte for so long, the other side is gone.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    /// <summary>How long a poll is held at most.</summary>
    public static readonly TimeSpan PollHeld = TimeSpan.FromSeconds(25);
}
