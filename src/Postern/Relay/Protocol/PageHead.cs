namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: a question to a person. The body is the sealed question (<see cref="PageSeal"/>). The relay answers
/// with <see cref="KeptHead"/>.
/// </summary>
/// <param name="Page">Names it: 22 characters.</param>
/// <param name="Version">A lower one than the relay has changes nothing.</param>
/// <param name="ExpiresAt">Milliseconds since 1970.</param>
internal sealed record PageHead(string Page, long Version, long ExpiresAt) : FrameHead
{
    /// <summary>Returns whether its values are within the relay's limits.</summary>
    public bool IsSound => PageLink.IsPage(Page) && Version > 0 && ExpiresAt is >= 0 and < long.MaxValue / 1000;
}
