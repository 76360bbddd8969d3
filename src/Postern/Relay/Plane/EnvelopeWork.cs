using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>An envelope that waits for its turn in a lane.</summary>
/// <param name="ExpiresAt">When the relay gives it up, by this server's clock, in microseconds.</param>
internal sealed record EnvelopeWork(EnvelopeHead Head, RelayedRequest Request, long ExpiresAt)
{
    /// <summary>Called with the answer once that is committed.</summary>
    public required Func<PlaneAnswer, Task> Answered { get; set; }
}
