using Postern.Http;

namespace Postern.Dispatch;

internal sealed record DispatchedUrl([Member("The URL.")] string Url);
