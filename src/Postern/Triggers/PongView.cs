using Postern.Http;

namespace Postern.Triggers;

internal sealed record PongView([Member("pong.")] string Message);
