namespace Postern.Relay.Protocol;

/// <summary>What a plane may have stored at a relay.</summary>
internal sealed record BacklogQuota(long Envelopes, long Bytes);
