namespace Postern.Relay.Server;

/// <summary>What a connection reads and writes.</summary>
internal sealed record PlaneStores(
    RelayPlaneStore Planes,
    EnvelopeStore Envelopes,
    ConnectionStore Connections,
    PlaneTold Told
);
