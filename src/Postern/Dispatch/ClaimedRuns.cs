using Postern.Http;

namespace Postern.Dispatch;

/// <param name="Data">
/// Each as an http agent is given it: run, session, out, callback, token; and until when it is held.
/// </param>
internal sealed record ClaimedRuns(
    [Member("The runs, each with what its worker needs.")] IReadOnlyList<ClaimedRun> Data
);
