using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// What every stream of a log needs: where the log is, who may hold one open, and the tails that wake it.
/// </summary>
internal sealed record StreamContext(Database Database, StreamRegistry Registry, Tails Tails);
