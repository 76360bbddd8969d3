using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>The objects that every connection to a relay works with.</summary>
internal sealed record PlaneParts(
    PlaneStore Store,
    EnvelopeStore Envelopes,
    EnvelopeLanes Lanes,
    PlaneDoors Doors,
    PlanePages Pages,
    PlaneEvents Events,
    Database Database,
    TimeProvider Time
);
