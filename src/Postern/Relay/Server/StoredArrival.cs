namespace Postern.Relay.Server;

/// <summary>A request that is on disk.</summary>
/// <param name="Token">Of its receipt; kept nowhere.</param>
internal sealed record StoredArrival(ArrivedAt At, StoreOutcome.Stored Stored, string Token);
