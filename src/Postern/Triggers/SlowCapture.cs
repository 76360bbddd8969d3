namespace Postern.Triggers;

/// <summary>A captured request that takes longer than usual for its trigger.</summary>
/// <param name="IsBehind">Its session is at an earlier one.</param>
internal sealed record SlowCapture(string Id, long At, string? Session, string? Run, bool IsBehind);
