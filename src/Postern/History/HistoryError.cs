using Postern.Http;

namespace Postern.History;

/// <summary>A refused request of a history.</summary>
internal sealed record HistoryError(
    [Member("False. Left out with 400 and 401.", MayBeAbsent = true)] bool? Ok,
    [Member("What is wrong.")] HistoryFault Error
);
