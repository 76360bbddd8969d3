using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>
/// What this server is to a relay that it has joined: its id there, its keys, and the relay's key, which it pinned when
/// it joined. All nodes share it.
/// </summary>
internal sealed record JoinedPlane
{
    /// <summary>The relay takes it.</summary>
    public const string Joined = "joined";

    /// <summary>The relay has said, signed, that it does not know this plane any more.</summary>
    public const string Revoked = "revoked";

    public required string Relay { get; init; }

    public required string Plane { get; init; }

    /// <summary>The relay's address, ending with a slash.</summary>
    public required string Server { get; init; }

    /// <summary>Where this plane's doors are, without a slash at the end.</summary>
    public required string Url { get; init; }

    /// <summary>The code that it joined by: its name, without the secret.</summary>
    public required string Code { get; init; }

    public required P256PublicKey RelayKey { get; init; }

    /// <summary>The key that the relay will sign with after this one.</summary>
    public P256PublicKey? NextRelayKey { get; init; }

    public required string Standing { get; init; }

    public required P256Key Sign { get; init; }

    public required P256Key Open { get; init; }

    /// <summary>The keys before a rotation: the relay may still seal to them.</summary>
    public P256Key? OldSign { get; init; }

    public P256Key? OldOpen { get; init; }

    public required long JoinedAt { get; init; }

    public long? RotatedAt { get; init; }

    /// <summary>How long the relay keeps an envelope, in microseconds.</summary>
    public required long HeldFor { get; init; }

    public required long DoorsVersion { get; init; }

    public required string DoorsDigest { get; init; }

    /// <summary>Numbers below it are known to have arrived, or to be gone.</summary>
    public required long CheckedSeq { get; init; }

    /// <summary>Names what a connection depends on: with another one it is made anew.</summary>
    public string Version => $"{Plane} {Server} {Sign.Public.Id} {Open.Public.Id} {RelayKey.Id} {NextRelayKey?.Id}";
}
