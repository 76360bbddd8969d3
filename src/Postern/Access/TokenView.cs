using Postern.Http;

namespace Postern.Access;

internal sealed record TokenView([Member("The token, a JWT.")] string Token);
