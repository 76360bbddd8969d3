using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>The answer to a caller whose request is stored and not answered yet.</summary>
internal sealed record StoredView(
    [Member("Always `stored`.")] string Status,
    [Member("The stored request.")] string Envelope,
    [Member("Where its answer will stand.")] string Receipt
);
