using Postern.Http;

namespace Postern.Access;

[Strict]
internal sealed record UpdateKey(
    [Text("A name for people.", 1, 128, Trims = true)] string? Name,
    [Texts("What the key may do, instead of what it may now.", 100, 600)] IReadOnlyList<string>? Scopes,
    [Instant("When it ends; null: never.")] long? ExpiresAt
);
