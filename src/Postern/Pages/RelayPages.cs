using Postern.Access;
using Postern.Relay.Plane;

namespace Postern.Pages;

/// <summary>The relays that the server has joined, for the admin of its first project.</summary>
internal sealed class RelayPages(PageWriter writer, Projects projects, PlaneStates states) : IPages
{
    private const string Rule = "admin of the project default";

    public void Map(PageDoors pages) => pages.Page("/relay", Rule, Show).WithSummary("The relays");

    private async Task<IResult> Show(PageContext context)
    {
        if (!context.Caller.Allows(RequiredScope.FullAdmin) || context.Project != await projects.DefaultAsync())
            return ConsoleFamily.Instance.Forbidden(Rule);
        if (!PageFilters.Read(context.Http).Try(out _, out var wrong))
            return wrong;
        return await writer.PageAsync<RelayPage, RelayModel>(context, new RelayModel(await states.ListAsync()));
    }
}
