using Postern.Http;

namespace Postern.Access;

internal sealed record CallbackSecretView(
    [Member("The secret's id.")] string Id,
    [Member("The key that made it.")] string CreatedBy,
    [At("When it was made.")] string CreatedAt
);
