namespace Postern.Triggers;

/// <summary>A captured request that lasts longer than its trigger's usually do.</summary>
/// <param name="IsBehind">Its session is at an earlier one.</param>
internal sealed record SlowCapture(string Id, long At, string? Session, string? Run, bool IsBehind);
