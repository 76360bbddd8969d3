namespace Postern.Relay.Protocol;

/// <summary>From the relay: this standby connection takes over, and gets envelopes from now on.</summary>
internal sealed record HolderHead(string Connection, bool Holder) : FrameHead;
