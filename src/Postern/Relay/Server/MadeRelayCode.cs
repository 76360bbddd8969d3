using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A code, which is shown this once.</summary>
internal sealed record MadeRelayCode(
    [Member("The code: `postern plane join CODE`.")] string Code,
    [Member("What the plane is called.")] string Name
);
