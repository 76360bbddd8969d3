using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>The same view for routes whose answers stand under <c>data</c>.</summary>
internal sealed record StoredData(
    [Member("Always `Stored`.")] string Message,
    [Member("The stored request.")] string Envelope,
    [Member("Where its answer will stand.")] string Receipt
);
