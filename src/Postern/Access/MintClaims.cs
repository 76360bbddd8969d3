using Postern.Http;

namespace Postern.Access;

internal sealed record MintClaims(
    [Texts("What the token may do: action:type[:id].", 1000, 600)] IReadOnlyList<string>? Scopes
);
