using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// What every stream of a log needs: the database, the registry of open streams, and the tails that wake it.
/// </summary>
internal sealed record StreamContext(Database Database, StreamRegistry Registry, Tails Tails);
