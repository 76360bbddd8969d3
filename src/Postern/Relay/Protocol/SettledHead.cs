namespace Postern.Relay.Protocol;

/// <summary>From the relay: the ids of the envelopes whose answers it has committed.</summary>
internal sealed record SettledHead(IReadOnlyList<string> Ids) : FrameHead;
