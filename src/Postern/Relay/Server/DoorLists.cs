using BitFaster.Caching.Lru;
using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>
/// Caches the lists of doors by plane. A list is read again when the plane's row has another version.
/// </summary>
internal sealed class DoorLists(RelayPlaneStore planes)
{
    private const int Kept = 500;
    private readonly ConcurrentLru<string, PlaneDoors> _lists = new(Kept);

    public async ValueTask<PlaneDoors> OfAsync(RelayPlane plane)
    {
        if (_lists.TryGet(plane.Plane, out var kept) && kept.Version == plane.DoorsVersion)
            return kept;
        var (version, bytes) = await planes.DoorsAsync(plane.Plane);
        var read = bytes is null
            ? PlaneDoors.None
            : new PlaneDoors(version, DoorsHead.TryReadBody(bytes) ?? throw new InvalidDataException("stored doors"));
        _lists.AddOrUpdate(plane.Plane, read);
        return read;
    }
}
