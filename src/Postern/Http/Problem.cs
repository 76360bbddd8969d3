namespace Postern.Http;

/// <summary>Problem details (RFC 9457). Some codes have further members.</summary>
[HasMoreMembers]
internal sealed record Problem(
    [Member("about:blank: the code says what it is.")] string Type,
    [Member("The phrase of the status.")] string Title,
    [Member("The HTTP status.")] long Status,
    [Member("What is wrong, for people.")] string Detail,
    [Member("The stable code.")] string Code
);
