using Postern.Http;

namespace Postern.Access;

[Strict]
internal sealed record CreateKey(
    [Text("A name for people.", 1, 128, Trims = true)] string Name,
    [Word("live for programs, pat for a person's command line.", "live", "pat", Default = "live")] string Kind,
    [Texts("What the key may do: action:type[:id].", 100, 600)] IReadOnlyList<string>? Scopes,
    [Instant("When it ends.")] long? ExpiresAt
);
