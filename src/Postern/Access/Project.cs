namespace Postern.Access;

internal sealed record Project(string Id, string Name, long CreatedAt);
