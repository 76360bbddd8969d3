using System.Text.Json;
using Postern.Http;

namespace Postern.Access;

internal sealed record MintPublicToken(
    [Texts("What the token may do: action:type[:id].", MintClaims.MaxScopes, MintClaims.MaxScope, MinItems = 1)]
        IReadOnlyList<string> Scopes,
    [Instant("When it ends: a span such as 15m, an ISO date, or Unix seconds. Default 15m, at most 30 days.")]
        JsonElement? ExpirationTime,
    [Member("Whether it opens one door once.", Default = false)] bool OneTimeUse
);
