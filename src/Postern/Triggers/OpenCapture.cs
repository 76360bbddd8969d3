namespace Postern.Triggers;

/// <summary>An unfinished capture, without its large parts.</summary>
internal sealed record OpenCapture(string Id, string TriggerUid, long At, string? Session, long? InSeq, string? Run);
