using Postern.Sessions;

namespace Postern.History;

/// <summary>What the key of a path names, for a caller who may have it.</summary>
/// <param name="Key">The key.</param>
/// <param name="Name">The session; null: none has this key yet.</param>
internal sealed record HistoryTarget(HistoryKey Key, SessionRef? Name);
