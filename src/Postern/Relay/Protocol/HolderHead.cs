namespace Postern.Relay.Protocol;

/// <summary>From the relay: a standby takes over, and is given envelopes from now on.</summary>
internal sealed record HolderHead(string Connection, bool Holder) : FrameHead;
