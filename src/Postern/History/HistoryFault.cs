using Postern.Http;

namespace Postern.History;

internal sealed record HistoryFault(
    [Member("What is wrong, for people.")] string Message,
    [Member("What kind of fault it is.")] string Type,
    [Member("A stable code, where it is the credential that is sent in a wrong way.", MayBeAbsent = true)] string? Code,
    [Member("True: the same request may succeed later.", MayBeAbsent = true)] bool? Retryable,
    [Member("The scope that is missing.", MayBeAbsent = true)] HistoryMissing? Details
);
