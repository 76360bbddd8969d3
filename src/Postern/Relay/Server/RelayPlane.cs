using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>
/// A plane as the relay stores it. <see cref="NextSeq"/> is given out under the row's lock, so the numbers of a plane
/// have no gaps and commit in order. The counts are those of its stored envelopes.
/// </summary>
internal sealed record RelayPlane
{
    public required string Plane { get; init; }
    public required string Name { get; init; }
    public required string SignKey { get; init; }
    public required string OpenKey { get; init; }
    public string? OldSignKey { get; init; }
    public long? OldSignUntil { get; init; }

    /// <summary>The limits of its backlog: envelopes and bytes.</summary>
    public required long Envelopes { get; init; }
    public required long Bytes { get; init; }
    public required long NextSeq { get; init; }
    public required long OpenCount { get; init; }
    public required long OpenBytes { get; init; }

    /// <summary>How many of them come from networks that are not known.</summary>
    public required long UnknownCount { get; init; }
    public required long UnknownBytes { get; init; }
    public required long DoorsVersion { get; init; }
    public string? Holder { get; init; }
    public required long HolderUntil { get; init; }

    /// <summary>When a connection last held it.</summary>
    public required long HeldAt { get; init; }
    public required long CreatedAt { get; init; }
    public long? SeenAt { get; init; }
    public long? RevokedAt { get; init; }

    /// <summary>
    /// Whether it makes sense to wait for an answer: a connection holds the plane, or did ten seconds ago.
    /// </summary>
    public bool IsHeld(long now) => IsHeldNow(now) || HeldAt > now - 10_000_000;

    /// <summary>Whether a connection has its lease.</summary>
    public bool IsHeldNow(long now) => Holder is not null && HolderUntil > now;

    /// <summary>
    /// Returns whether one more request fits: into the lane, into the share of unknown networks, into the whole. A
    /// tenth is reserved for decisions.
    /// </summary>
    /// <param name="room">What is to be stored.</param>
    /// <param name="lane">What its lane has stored.</param>
    public bool HasRoomFor(NewEnvelope room, (long Count, long Bytes) lane)
    {
        var (most, mostBytes) = room.IsDecision ? (Envelopes, Bytes) : (Envelopes / 10 * 9, Bytes / 10 * 9);
        if (OpenCount + 1 > most || OpenBytes + room.Size > mostBytes)
            return false;
        if (lane.Count + 1 > Envelopes / 2 || lane.Bytes + room.Size > Bytes / 2)
            return false;
        return room.IsKnown || (UnknownCount + 1 <= Envelopes / 4 && UnknownBytes + room.Size <= Bytes / 4);
    }

    /// <summary>Returns the same plane with more stored.</summary>
    public RelayPlane With(BacklogChange more) =>
        this with
        {
            NextSeq = NextSeq + more.Count,
            OpenCount = OpenCount + more.Count,
            OpenBytes = OpenBytes + more.Bytes,
            UnknownCount = UnknownCount + more.UnknownCount,
            UnknownBytes = UnknownBytes + more.UnknownBytes,
        };

    public BacklogQuota Quota => new(Envelopes, Bytes);

    /// <param name="oldest">When the oldest that waits came, in microseconds since 1970.</param>
    public BacklogSize Backlog(long? oldest) => new(OpenCount, OpenBytes, oldest / 1000);

    /// <summary>Whether a lane could have reached its half. The lane is counted only then.</summary>
    public bool MayHaveFullLane(long size) => OpenCount + 1 > Envelopes / 2 || OpenBytes + size > Bytes / 2;
}
