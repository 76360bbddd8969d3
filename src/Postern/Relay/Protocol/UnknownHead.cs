namespace Postern.Relay.Protocol;

/// <summary>A frame of a kind that only a later version knows. It is read, and never sent.</summary>
internal sealed record UnknownHead(string Kind) : FrameHead;
