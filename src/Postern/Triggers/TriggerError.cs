using Postern.Http;

namespace Postern.Triggers;

/// <summary>A refused request of a trigger.</summary>
[HasMoreMembers]
internal sealed record TriggerError(
    [Member("False.")] bool Success,
    [Member("What is wrong, for people.")] string Error,
    [Member("A stable code, where it is the credential that is sent in a wrong way.", MayBeAbsent = true)] string? Code
);
