using Postern.Http;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Why captures of one project have not ended, by their ids. Who gives them to agents says it; this folder does not
/// know how that is done.
/// </summary>
internal delegate ValueTask<IReadOnlyDictionary<string, Why>> ReadCaptureWhys(Tx tx, IReadOnlyList<Capture> captures);
