using Postern.Http;

namespace Postern.Access;

internal sealed record CreatedProject(
    [Member("The project's id.")] string Id,
    [Member("Its name.")] string Name,
    [Member("Its root key: shown once.")] string RootKey,
    [At("When it was made.")] string CreatedAt
);
