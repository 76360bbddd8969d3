namespace Postern.Relay.Server;

/// <summary>Whether a connection of a plane is accepted.</summary>
internal enum Admission
{
    In,

    /// <summary>The plane already has the most connections.</summary>
    TooMany,

    /// <summary>The same process has a newer connection.</summary>
    Superseded,
}
