namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: a question has ended. The body is the sealed outcome (<see cref="PageSeal.Outcome"/>), for people
/// who open the question afterwards. Without a body, nothing of the question is kept. The relay answers with
/// <see cref="KeptHead"/>.
/// </summary>
/// <param name="Page">Names it: 22 characters.</param>
/// <param name="Version">Higher than the question's.</param>
internal sealed record PageEndHead(string Page, long Version) : FrameHead
{
    /// <summary>Returns whether its values are within the relay's limits.</summary>
    public bool IsSound => PageLink.IsPage(Page) && Version > 0;
}
