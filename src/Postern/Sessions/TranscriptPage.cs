using Postern.Http;

namespace Postern.Sessions;

internal sealed record TranscriptPage(
    [Member("The messages, the oldest first.")] IReadOnlyList<TranscriptMessage> Messages,
    [Member("Where the next page begins, when there is more; give it as before.", MayBeAbsent = true)]
        string? NextCursor
);
