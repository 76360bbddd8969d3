namespace Postern.Relay.Plane;

/// <summary>The state of each node at each relay that the server has joined.</summary>
internal sealed class PlaneStates(PlaneStore store, PlaneKeeper keeper, PlaneNodes nodes)
{
    public async Task<List<PlaneState>> ListAsync()
    {
        var (links, states) = (keeper.Links, new List<PlaneState>());
        foreach (var plane in await store.ListAsync())
        {
            var own = links.FirstOrDefault(l => l.Plane.Relay == plane.Relay)?.Now ?? new PlaneStanding().Now(0);
            states.Add(new PlaneState(plane, await nodes.ListAsync(plane.Relay, own)));
        }
        return states;
    }
}
