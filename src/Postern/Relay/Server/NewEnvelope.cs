using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>A request to be stored.</summary>
/// <param name="Url">As the sender called it, without its query.</param>
/// <param name="Network">The sender's.</param>
/// <param name="IsKnown">Whether that network is known to the plane.</param>
/// <param name="Receipt">The digest of the token that shows what became of it.</param>
internal sealed record NewEnvelope(
    string Plane,
    RelayedRequest Request,
    DoorEntry Door,
    string Url,
    string Network,
    bool IsKnown,
    byte[] Receipt
)
{
    public string Lane { get; } = Protocol.Lane.Of(Request.Target);

    /// <summary>
    /// The plane's key at the time of the request, so that sealing can be prepared. Null: nothing is prepared.
    /// </summary>
    public string? OpenKey { get; init; }

    public bool IsDecision => Door.Class is DoorEntry.Approvals or DoorEntry.Pages;

    /// <summary>About how many bytes it takes at the relay.</summary>
    public long Size { get; } =
        1024 + Request.Body.Length + Request.Target.Length + Request.Headers.Sum(h => h[0].Length + h[1].Length + 8);
}
