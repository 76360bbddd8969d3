namespace Postern.Relay.Protocol;

/// <summary>From the plane: a question that nobody is to see any more.</summary>
internal sealed record PageEndHead(string Page) : FrameHead;
