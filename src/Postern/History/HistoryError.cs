using Postern.Http;

namespace Postern.History;

/// <summary>The body of a refused request for a history.</summary>
internal sealed record HistoryError(
    [Member("False. Left out with 400 and 401.", MayBeAbsent = true)] bool? Ok,
    [Member("What is wrong.")] HistoryFault Error
);
