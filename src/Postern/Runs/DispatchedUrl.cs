using Postern.Http;

namespace Postern.Runs;

internal sealed record DispatchedUrl([Member("The URL.")] string Url);
