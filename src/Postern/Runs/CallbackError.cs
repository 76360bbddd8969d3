using Postern.Http;

namespace Postern.Runs;

/// <summary>A refused request at the doors of orchestrators.</summary>
[HasMoreMembers]
internal sealed record CallbackError(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message
);
