namespace Postern.Relay.Protocol;

/// <summary>The ways in which a received frame can be wrong.</summary>
internal enum FrameFault
{
    None,

    /// <summary>Its parts are not where they must be, or its head is not valid.</summary>
    Malformed,
    TooLarge,

    /// <summary>None of the known keys has signed it.</summary>
    BadSignature,
}
