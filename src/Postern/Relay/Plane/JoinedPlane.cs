using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>
/// The identity of this server at a relay that it has joined: its id, its keys, and the key of the relay, which was
/// pinned when the server joined. All nodes share it.
/// </summary>
internal sealed record JoinedPlane
{
    /// <summary>The relay accepts this plane.</summary>
    public const string Joined = "joined";

    /// <summary>The relay has declared, with its signature, that it no longer knows this plane.</summary>
    public const string Revoked = "revoked";

    public required string Relay { get; init; }

    public required string Plane { get; init; }

    /// <summary>The relay's address, ending with a slash.</summary>
    public required string Server { get; init; }

    /// <summary>The address under which this plane's doors are reached, without a slash at the end.</summary>
    public required string Url { get; init; }

    /// <summary>The name of the code that was used to join, without its secret.</summary>
    public required string Code { get; init; }

    public required P256PublicKey RelayKey { get; init; }

    /// <summary>The key that the relay will sign with after this one.</summary>
    public P256PublicKey? NextRelayKey { get; init; }

    public required string Standing { get; init; }

    public required P256Key Sign { get; init; }

    public required P256Key Open { get; init; }

    /// <summary>The keys before a rotation. The relay may still seal to them.</summary>
    public P256Key? OldSign { get; init; }

    public P256Key? OldOpen { get; init; }

    public required long JoinedAt { get; init; }

    public long? RotatedAt { get; init; }

    /// <summary>How long the relay keeps an envelope, in microseconds.</summary>
    public required long HeldFor { get; init; }

    /// <summary>
    /// This server may have forgotten messages that the relay received before this time, in microseconds.
    /// </summary>
    public long RemembersFrom { get; init; }

    public required long DoorsVersion { get; init; }

    public required string DoorsDigest { get; init; }

    /// <summary>Every number below this one has arrived, or is known to be gone.</summary>
    public required long CheckedSeq { get; init; }

    /// <summary>Names everything that a connection depends on. When it changes, the connection is made anew.</summary>
    public string Version => $"{Plane} {Server} {Sign.Public.Id} {Open.Public.Id} {RelayKey.Id} {NextRelayKey?.Id}";
}
