using Postern.Http;

namespace Postern.Access;

internal sealed record CreatedKey(
    [Member("The key's id.")] string Id,
    [Member("The key itself: shown once.")] string Key,
    [Member("The name for people.")] string Name,
    [Member("live or pat.")] string Kind,
    [Member("What the key may do.")] IReadOnlyList<string> Scopes,
    [At("When it was made.")] string CreatedAt,
    [At("When it ends.")] string? ExpiresAt
);
