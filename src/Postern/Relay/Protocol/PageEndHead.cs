namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: a question has ended. The body is how, sealed (<see cref="PageSeal.Outcome"/>), for those who open
/// it afterwards; without a body nothing is kept of it. Answered by <see cref="KeptHead"/>.
/// </summary>
/// <param name="Page">Names it: 22 characters.</param>
/// <param name="Version">Higher than the question's.</param>
internal sealed record PageEndHead(string Page, long Version) : FrameHead
{
    /// <summary>Whether its values are within what a relay takes.</summary>
    public bool IsSound => PageLink.IsPage(Page) && Version > 0;
}
