using Postern.Http;

namespace Postern.Access;

/// <summary>An audit row as it is read.</summary>
internal sealed record AuditView
{
    [Member("The row's id; a refused request's X-Refusal-Id.")]
    public required string Id { get; init; }

    [At("When it happened; of a row that counts several, the first of them.")]
    public required string At { get; init; }

    [Member("What happened.")]
    public required string Action { get; init; }

    [Member("The kind of credential; of a refused one, the kinds that the door takes.")]
    public string? Credential { get; init; }

    [Member("Who did it: an id, or the digest of a chosen name.")]
    public string? Actor { get; init; }

    [Member("The method and the pattern of the path.")]
    public string? Route { get; init; }

    [Member("From where.")]
    public string? Address { get; init; }

    [Member("Why it was refused, or what was changed.")]
    public string? Reason { get; init; }

    [Member("The trigger at whose URL it was refused: user/{owner}/{id} or org/{owner}/{id}.")]
    public string? Trigger { get; init; }

    [Member("How often the same happened within its minute.")]
    public required long Times { get; init; }
}
