using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A new code. It is shown only this once.</summary>
internal sealed record MadeRelayCode(
    [Member("The code: `postern plane join CODE`.")] string Code,
    [Member("What the plane is called.")] string Name
);
