namespace Postern.Relay.Protocol;

/// <summary>From the relay: answers that it has committed, by the ids of their envelopes.</summary>
internal sealed record SettledHead(IReadOnlyList<string> Ids) : FrameHead;
