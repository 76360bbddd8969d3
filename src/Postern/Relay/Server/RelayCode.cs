namespace Postern.Relay.Server;

/// <summary>A code by which a plane joins, once. Times are microseconds since 1970.</summary>
/// <param name="Code">Its name, <c>prc_…</c>; the secret is made of it and the master key, and is stored
/// nowhere.</param>
/// <param name="Name">What the plane is called here.</param>
/// <param name="Plane">The plane that gets new keys; null: a new plane.</param>
internal sealed record RelayCode(
    string Code,
    string Name,
    string? Plane,
    long Envelopes,
    long Bytes,
    long Until,
    long? UsedAt,
    string? UsedName
);
