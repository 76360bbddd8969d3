namespace Postern.Relay.Protocol;

/// <summary>From the relay: it has committed a list of doors, or a question or its end.</summary>
/// <param name="What"><see cref="DoorsList"/>, or the page.</param>
/// <param name="Version">
/// The version that it has now: a higher one than was sent when that came too late. 0: it has no room for the question.
/// </param>
internal sealed record KeptHead(string What, long Version) : FrameHead
{
    public const string DoorsList = "doors";
}
