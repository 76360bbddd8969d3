namespace Postern.Relay.Protocol;

/// <summary>The limits of the protocol. Each side keeps them, and refuses what goes beyond them.</summary>
internal static class RelayLimits
{
    public const string SubProtocol = "postern.relay.v1";

    /// <summary>The code of a 409: another node of the relay has the polled connection.</summary>
    public const string NotHere = "not_here";

    /// <summary>Bytes of a frame's head, one line of JSON.</summary>
    public const int Head = 48 * 1024;

    /// <summary>Bytes of a whole frame.</summary>
    public const int Frame = 1536 * 1024;

    /// <summary>Bytes of the fragments in which a message is sent, and of the buffer that receives it.</summary>
    public const int Fragment = 16 * 1024;

    /// <summary>Bytes of a plane's answer. A larger one becomes a 502 for the caller.</summary>
    public const int Answer = 64 * 1024;

    /// <summary>Doors of one plane.</summary>
    public const int Doors = 5_000;

    /// <summary>Envelopes of one lane that are offered and unanswered.</summary>
    public const int OpenOfLane = 16;

    /// <summary>Envelopes of one connection that are offered and unanswered.</summary>
    public const int Open = 256;

    /// <summary>So many are open before a lane is given one behind another that is unanswered.</summary>
    public const int OpenAhead = 64;

    /// <summary>Bytes of the envelopes that are offered and unanswered on a connection.</summary>
    public const int OpenBytes = 8 * 1024 * 1024;

    /// <summary>Bytes that one answer to a poll contains. One larger frame may come alone.</summary>
    public const int Poll = 1024 * 1024;

    /// <summary>Open questions of one plane.</summary>
    public const int Pages = 10_000;

    /// <summary>Bytes of all open questions of one plane, sealed.</summary>
    public const int PageBytes = 64 * 1024 * 1024;

    /// <summary>Bytes of one question, sealed.</summary>
    public const int Page = 512 * 1024;

    /// <summary>Bytes of how a question ended, sealed.</summary>
    public const int PageOutcome = 16 * 1024;

    /// <summary>Bytes of a person's answer as it is sent.</summary>
    public const int PageAnswer = 64 * 1024;

    /// <summary>How far the time of a handshake may be from the relay's time.</summary>
    public static readonly TimeSpan Skew = TimeSpan.FromSeconds(300);

    /// <summary>How long a nonce is remembered. This is longer than a handshake stays valid.</summary>
    public static readonly TimeSpan NonceKept = TimeSpan.FromSeconds(600 + 60);

    /// <summary>After so long without another frame, a ping is sent.</summary>
    public static readonly TimeSpan Ping = TimeSpan.FromSeconds(10);

    /// <summary>After so long without a byte, the other side counts as gone.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    /// <summary>The longest time for which a poll is held.</summary>
    public static readonly TimeSpan PollHeld = TimeSpan.FromSeconds(25);
}
