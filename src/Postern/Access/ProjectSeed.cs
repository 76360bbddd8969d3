using Postern.Storage;

namespace Postern.Access;

/// <summary>What a new project begins with beside its root key, written in the transaction that creates it.</summary>
internal delegate ValueTask ProjectSeed(Tx tx, string project);
