using Postern.Http;

namespace Postern.Runs;

/// <summary>The body of a refusal for orchestrators.</summary>
[HasMoreMembers]
internal sealed record CallbackError(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message
);
