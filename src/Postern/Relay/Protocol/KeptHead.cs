namespace Postern.Relay.Protocol;

/// <summary>From the relay: it has committed a list of doors.</summary>
/// <param name="What"><see cref="DoorsList"/>.</param>
/// <param name="Version">The version that it has now: a higher one than was sent when that came too late.</param>
internal sealed record KeptHead(string What, long Version) : FrameHead
{
    public const string DoorsList = "doors";
}
