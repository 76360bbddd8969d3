namespace Postern.Access;

/// <summary>
/// What a door requires besides the credential. Either the door itself checks one scope on the collection, or its
/// handler checks, because the rule depends on the path, the body or the stored row. In the second case this text is
/// shown in the table, and a handler that answers without having checked causes a fault (500), not an open door.
/// </summary>
internal sealed record Authorization(string Description, RequiredScope? RequiredScope = null)
{
    public static Authorization None { get; } = new("-");

    /// <summary>The door checks it before the handler runs.</summary>
    public static Authorization Needs(string action, string type) =>
        new($"{action}:{type}", new RequiredScope(action, type));

    /// <summary>Bare <c>admin</c>, implied or granted; <c>admin:all</c> is not enough.</summary>
    public static Authorization Admin { get; } = new("admin", Access.RequiredScope.FullAdmin);

    /// <summary>The handler checks it.</summary>
    public static implicit operator Authorization(string description) => new(description);
}
