using Postern.Http;

namespace Postern.History;

internal sealed record WrittenMessage(
    [Member("The message's id.")] string Id,
    [Member("Its number in the transcript, from 1.")] long Seq
);
