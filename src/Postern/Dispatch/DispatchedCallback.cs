using Postern.Http;

namespace Postern.Dispatch;

internal sealed record DispatchedCallback(
    [Member("The URL.")] string Url,
    [Member("The headers, by their names.")] IReadOnlyDictionary<string, string> Headers
);
