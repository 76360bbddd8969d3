using Postern.Http;

namespace Postern.History;

internal sealed record HistoryMissing(
    [Member("MISSING_SCOPE.")] string Code,
    [Member("The scope that is missing.")] string MissingScope,
    [Member("The same, as a list.")] IReadOnlyList<string> RequiredScopes
);
