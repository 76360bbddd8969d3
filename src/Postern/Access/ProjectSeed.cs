using Postern.Storage;

namespace Postern.Access;

/// <summary>Writes what a new project begins with beside its root key, in the transaction that creates it.</summary>
internal delegate ValueTask ProjectSeed(Tx tx, string project);
