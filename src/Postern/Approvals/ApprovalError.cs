using Postern.Http;

namespace Postern.Approvals;

/// <summary>The body of a refused request about a question.</summary>
[HasMoreMembers]
internal sealed record ApprovalError(
    [Member("The stable code, or a text that clients have always known.")] string Error,
    [Member("What is wrong, for people.", MayBeAbsent = true)] string? Message
);
