using Postern.Http;

namespace Postern.History;

internal sealed record HistoryMark(
    [Member("The message's id.")] string Id,
    [Member("Its number in the transcript, from 1.")] long Seq,
    [Member("True: a text of it is cut.", MayBeAbsent = true)] bool? Truncated,
    [Member("Why it is cut.", MayBeAbsent = true)] string? Reason
);
