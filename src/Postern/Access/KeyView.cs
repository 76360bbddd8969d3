using Postern.Http;

namespace Postern.Access;

internal sealed record KeyView(
    [Member("The key's id.")] string Id,
    [Member("The name for people.")] string Name,
    [Member("root, live or pat.")] string Kind,
    [Member("What the key may do.")] IReadOnlyList<string> Scopes,
    [At("When it was made.")] string CreatedAt,
    [Member("The key that made it, or the command line.")] string CreatedBy,
    [At("When it ends.")] string? ExpiresAt,
    [At("When it was used last, to a minute or so.")] string? LastUsedAt,
    [At("When the secret before the last rotation ends.")] string? PreviousValidUntil
)
{
    public static KeyView Of(KeyRow row) =>
        new(
            row.Id,
            row.Name,
            row.Kind,
            row.Scopes,
            Wire.Iso(row.CreatedAt),
            row.CreatedBy,
            Wire.Iso(row.ExpiresAt),
            Wire.Iso(row.LastUsedAt),
            Wire.Iso(row.PreviousUntil)
        );
}
