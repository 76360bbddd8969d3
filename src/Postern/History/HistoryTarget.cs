using Postern.Sessions;

namespace Postern.History;

/// <summary>The session of a path's key, for a caller that may use it.</summary>
/// <param name="Key">The key.</param>
/// <param name="Name">The session; null: none has this key yet.</param>
internal sealed record HistoryTarget(HistoryKey Key, SessionRef? Name);
