using Postern.Http;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Returns why captures of one project have not ended, by their ids. The dispatch of runs provides it, which this
/// folder may not use.
/// </summary>
internal delegate ValueTask<IReadOnlyDictionary<string, Why>> ReadCaptureWhys(Tx tx, IReadOnlyList<Capture> captures);
