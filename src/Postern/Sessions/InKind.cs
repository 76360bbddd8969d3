namespace Postern.Sessions;

internal enum InKind
{
    /// <summary>Any other text: kept, and a run is made sure of, but no turn is opened.</summary>
    Other,

    /// <summary>Opens or continues a turn.</summary>
    Message,

    /// <summary>Asks the run to stop the turn.</summary>
    Stop,

    /// <summary>Closes the session.</summary>
    Close,
}
