namespace Postern.Relay.Protocol;

/// <summary>From the plane: a sealed question, which is the body. A lower version changes nothing.</summary>
/// <param name="ExpiresAt">Milliseconds since 1970.</param>
internal sealed record PageHead(string Page, long Version, long ExpiresAt) : FrameHead;
