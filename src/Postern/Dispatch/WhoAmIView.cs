using Postern.Http;

namespace Postern.Dispatch;

internal sealed record WhoAmIView(
    [Member("The key's id.")] string UserId,
    [Member("The key's name, where it is an address.")] string Email,
    [Member("This server.")] string DashboardUrl,
    [Member("The key's project.")] WhoAmIProject Project
);
