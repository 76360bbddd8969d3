using Postern.Http;

namespace Postern.History;

internal sealed record HistoryView(
    [Member("The session's key.")] string SessionKey,
    [Member("The messages, the oldest first.")] IReadOnlyList<HistoryMessage> Items,
    [Member("The same as items. Left out with fields=items.", MayBeAbsent = true)]
        IReadOnlyList<HistoryMessage>? Messages,
    [Member("Whether there are more in the direction of the query.")] bool HasMore,
    [Member("Where the next page begins, when there is more.", MayBeAbsent = true)] string? NextCursor
);
