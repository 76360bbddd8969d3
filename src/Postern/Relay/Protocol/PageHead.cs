namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: a question to a person. The body is the question, sealed (<see cref="PageSeal"/>). Answered by
/// <see cref="KeptHead"/>.
/// </summary>
/// <param name="Page">Names it: 22 characters.</param>
/// <param name="Version">A lower one than the relay has changes nothing.</param>
/// <param name="ExpiresAt">Milliseconds since 1970.</param>
internal sealed record PageHead(string Page, long Version, long ExpiresAt) : FrameHead
{
    /// <summary>Whether its values are within what a relay takes.</summary>
    public bool IsSound => PageLink.IsPage(Page) && Version > 0 && ExpiresAt is >= 0 and < long.MaxValue / 1000;
}
