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
            .WithSummary("The relays that this server has joined, and how this node stands to them")
            .Produces<Page<PlaneView>>()
            .Produces(401, 403);

    /// <summary>A relay serves the whole server, so only an administrator of the first project sees it.</summary>
    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!caller.Allows(RequiredScope.FullAdmin) || caller.Project != await projects.DefaultAsync())
            return ProblemFormat.Instance.Forbidden("admin");
        return Reply.Ok(new Page<PlaneView>([.. (await states.ListAsync()).Select(ViewOf)], null));
    }

    private static PlaneView ViewOf(PlaneState state)
    {
        var (plane, standing, clockOff) = state;
        return new PlaneView(
            plane.Relay,
            plane.Plane,
            plane.Server,
            plane.Url,
            plane.Standing,
            plane.RelayKey.Fingerprint,
            Wire.Iso(plane.JoinedAt),
            plane.HeldFor / 1_000_000,
            new PlaneConnectionView(
                standing.Transport,
                standing.Holds,
                standing.Since > 0 ? Wire.Iso(standing.Since) : null,
                standing.FailedAt,
                standing.Why,
                PlaneBacklogView.Of(standing.Backlog, standing.Quota),
                clockOff / 1000,
                standing.Answered,
                standing.Reconnects
            )
        );
    }
}
