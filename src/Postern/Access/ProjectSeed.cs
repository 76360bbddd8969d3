using Postern.Storage;

namespace Postern.Access;

/// <summary>Writes the initial content of a new project, in the transaction that creates it.</summary>
internal delegate ValueTask ProjectSeed(Tx tx, string project);
