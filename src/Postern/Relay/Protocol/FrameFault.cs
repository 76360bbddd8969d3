namespace Postern.Relay.Protocol;

/// <summary>What is wrong with a frame that came.</summary>
internal enum FrameFault
{
    None,

    /// <summary>Its parts are not where they must be, or its head does not say what it must.</summary>
    Malformed,
    TooLarge,

    /// <summary>None of the known keys signed it.</summary>
    BadSignature,
}
