namespace Postern.Relay.Server;

/// <summary>Whether a connection of a plane is let in.</summary>
internal enum Admission
{
    In,

    /// <summary>The plane has as many as it may have.</summary>
    TooMany,

    /// <summary>The same process has connected anew since.</summary>
    Superseded,
}
