namespace Postern.Relay.Plane;

/// <summary>A question of this server that people open at a relay. Times are microseconds since 1970.</summary>
/// <param name="Page">Names it there.</param>
/// <param name="Approval">The question's id in its project.</param>
internal sealed record JoinedPage(string Page, string Project, string Approval)
{
    /// <summary>The version of an open question. It does not change while the question is open.</summary>
    public const long Open = 1;

    /// <summary>The version of a question that has ended.</summary>
    public const long Ended = 2;
}
