using Microsoft.AspNetCore.Http.Features;

namespace Postern.Http;

/// <summary>
/// The features of a request that came through a relay. Whether it did is asked several times a request, so the answer
/// is their type and not one more feature to look for.
/// </summary>
internal sealed class RelayedFeatures(Arrival arrival) : FeatureCollection
{
    public Arrival Arrival => arrival;
}
