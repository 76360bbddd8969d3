using Postern.Http;
using Postern.Sessions;

namespace Postern.Dispatch;

internal sealed record DispatchedSession(
    [Member("The session's id.")] string Id,
    [Member("The key of its history.")] string Key,
    [Member("The end of its transcript, the oldest first.")] IReadOnlyList<TranscriptMessage> Messages,
    [Member("The number of the record on in that began the turn.")] long InSeq,
    [Member("Whether the run goes on with a session that had runs before.")] bool Continuation,
    [Member("The run before this one.")] string? PreviousRunId
);
