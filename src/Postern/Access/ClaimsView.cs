using Postern.Http;

namespace Postern.Access;

internal sealed record ClaimsView(
    [Member("The subject of tokens: the project's id.")] string Sub,
    [Member("True: the token is public.")] bool Pub
);
