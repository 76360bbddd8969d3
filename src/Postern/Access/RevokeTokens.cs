using Postern.Http;

namespace Postern.Access;

[Strict]
internal sealed record RevokeTokens(
    [Text("The token. One of token, jti and subject.", 1, 8192)] string? Token,
    [Text("The jti of a token. One of token, jti and subject.", 1, 256)] string? Jti,
    [Text("The subject whose tokens end. One of token, jti and subject.", 1, 256)] string? Subject,
    [Instant("Ends the subject's tokens that were issued before. Required with subject.")] long? IssuedBefore
);
