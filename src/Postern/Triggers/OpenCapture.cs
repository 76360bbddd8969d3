namespace Postern.Triggers;

/// <summary>A captured request that has not ended, without what is large.</summary>
internal sealed record OpenCapture(string Id, string TriggerUid, long At, string? Session, long? InSeq, string? Run);
