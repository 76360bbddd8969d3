using Postern.Access;
using Postern.Http;

namespace Postern.Relay.Plane;

/// <summary>Shows the relays that a server has joined.</summary>
internal sealed class PlaneRoutes(PlaneStates states, Projects projects)
{
    public void Map(Doors doors) =>
        doors
            .Group("/api/v1/relay", ProblemFormat.Instance)
            .Get("", Credentials.Key, "admin of the project default", List)
            .WithSummary("The relays that this server has joined, and how its nodes stand to them")
            .Produces<Page<PlaneView>>()
            .Produces(401, 403);

    /// <summary>A relay serves the whole server, so only an administrator of the first project sees it.</summary>
    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!caller.Allows(RequiredScope.FullAdmin) || caller.Project != await projects.DefaultAsync())
            return ProblemFormat.Instance.Forbidden("admin");
        return Reply.Ok(new Page<PlaneView>([.. (await states.ListAsync()).Select(ViewOf)], null));
    }

    private static PlaneView ViewOf(PlaneState state) =>
        new(
            state.Plane.Relay,
            state.Plane.Plane,
            state.Plane.Server,
            state.Plane.Url,
            state.Plane.Standing,
            state.Plane.RelayKey.Fingerprint,
            Wire.Iso(state.Plane.JoinedAt),
            state.Plane.HeldFor / 1_000_000,
            PlaneConnectionView.Of(state.This.Standing)
        )
        {
            Nodes = [.. state.Nodes.Select(PlaneNodeView.Of)],
        };
}
