namespace Postern.Relay.Server;

/// <summary>The stores that a connection uses.</summary>
internal sealed record PlaneStores(
    RelayPlaneStore Planes,
    EnvelopeStore Envelopes,
    ConnectionStore Connections,
    PlaneTold Told
);
