namespace Postern.Sessions;

internal enum InKind
{
    /// <summary>Any other text: it is stored and makes sure that there is a run, but opens no turn.</summary>
    Other,

    /// <summary>Opens or continues a turn.</summary>
    Message,

    /// <summary>Asks the run to stop the turn.</summary>
    Stop,

    /// <summary>Closes the session.</summary>
    Close,
}
