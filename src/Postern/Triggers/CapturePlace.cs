namespace Postern.Triggers;

/// <summary>The place of a captured request in a session.</summary>
/// <param name="Session">The session's id.</param>
/// <param name="InSeq">The number of its message on the channel <c>in</c>.</param>
/// <param name="Run">The run that answers it; null while there is none.</param>
internal sealed record CapturePlace(string Session, long InSeq, string? Run);
