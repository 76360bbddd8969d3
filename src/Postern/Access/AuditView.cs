using Postern.Http;

namespace Postern.Access;

/// <summary>An audit row as it is read.</summary>
internal sealed record AuditView(
    [Member("The row's id.")] string Id,
    [At("When it happened.")] string At,
    [Member("What happened.")] string Action,
    [Member("The kind of credential.")] string? Credential,
    [Member("Who did it: an id, or the digest of a chosen name.")] string? Actor,
    [Member("The method and the pattern of the path.")] string? Route,
    [Member("From where.")] string? Address,
    [Member("Why it was refused, or what was changed.")] string? Reason,
    [Member("How often the same happened within its minute.")] long Times
);
