using Postern.Http;

namespace Postern.Access;

internal sealed record MintClaims(
    [Texts("What the token may do: action:type[:id].", MintClaims.MaxScopes, MintClaims.MaxScope)]
        IReadOnlyList<string>? Scopes
)
{
    public const int MaxScopes = 1000;
    public const int MaxScope = 600;
}
