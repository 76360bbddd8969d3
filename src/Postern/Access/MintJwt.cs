using System.Text.Json;
using Postern.Http;

namespace Postern.Access;

internal sealed record MintJwt(
    [Member("What the token says.")] MintClaims? Claims,
    [Instant("When it ends: a span such as 1h, an ISO date, or Unix seconds. Default 1h, at most 30 days.")]
        JsonElement? ExpirationTime
);
