using Postern.Http;

namespace Postern.Access;

internal sealed record ProjectView(
    [Member("The project's id.")] string Id,
    [Member("Its name.")] string Name,
    [At("When it was made.")] string CreatedAt
);
