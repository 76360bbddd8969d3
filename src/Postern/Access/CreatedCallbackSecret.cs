using Postern.Http;

namespace Postern.Access;

internal sealed record CreatedCallbackSecret(
    [Member("The secret's id.")] string Id,
    [Member("The secret itself: shown once.")] string Secret
);
