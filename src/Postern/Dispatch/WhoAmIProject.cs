using Postern.Http;

namespace Postern.Dispatch;

internal sealed record WhoAmIProject(
    [Member("The project's name.")] string Name,
    [Member("This server.")] string Url,
    [Member("Postern.")] string OrgTitle
);
