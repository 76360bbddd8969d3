using Postern.Http;

namespace Postern.Sessions;

/// <summary>The body of a refused request about a session.</summary>
[HasMoreMembers]
internal sealed record SessionError(
    [Member("What is wrong, for people.")] string Error,
    [Member("A stable code, where the text has none that clients have always known.", MayBeAbsent = true)] string? Code,
    [Member("False, from the doors of channels.", MayBeAbsent = true)] bool? Ok
);
