namespace Postern.Sessions;

/// <summary>The request for a channel's stream.</summary>
/// <param name="After">Number of the last record that it has; -1 from the start, null from the end.</param>
/// <param name="PeekSettled">Close at once when the last turn has completed.</param>
internal sealed record StreamRequest(
    SessionRef? Name,
    string Reference,
    string Io,
    string? SideChannel,
    long? After,
    TimeSpan Timeout,
    bool PeekSettled
);
