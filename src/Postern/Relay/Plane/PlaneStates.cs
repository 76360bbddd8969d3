namespace Postern.Relay.Plane;

/// <summary>The state of this node at each relay that the server has joined.</summary>
internal sealed class PlaneStates(PlaneStore store, PlaneKeeper keeper)
{
    public async Task<List<PlaneState>> ListAsync()
    {
        var links = keeper.Links;
        return
        [
            .. (await store.ListAsync()).Select(plane =>
            {
                var link = links.FirstOrDefault(l => l.Plane.Relay == plane.Relay);
                return new PlaneState(plane, link?.Standing ?? new PlaneStanding(), link?.ClockOff ?? 0);
            }),
        ];
    }
}
