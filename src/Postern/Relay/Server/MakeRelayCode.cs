using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A request for a new code.</summary>
internal sealed record MakeRelayCode(
    [Text("What the plane is called at this relay.", 1, NewCode.LongestName)] string Name,
    [Whole("How long the code is valid.", 1, 86_400)] long? ForSeconds,
    [Whole("How many requests the plane may have stored.", 100, NewCode.MostEnvelopes)] long? Envelopes,
    [Whole("How many bytes of them.", NewCode.LeastBytes, NewCode.MostBytes)] long? Bytes,
    [Text("The plane that has lost its keys and gets others; absent for a new one.", 1, 64)] string? Plane
);
