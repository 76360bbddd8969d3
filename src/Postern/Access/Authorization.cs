namespace Postern.Access;

/// <summary>
/// What a door asks of a caller beside the credential. Either the door itself checks one need on the collection, or the
/// handler checks, because the rule depends on the path, the body or the stored row; then the words here are what the
/// table shows, and a handler that answers without having checked is a fault (500), not an open door.
/// </summary>
internal sealed record Authorization(string Words, RequiredScope? RequiredScope = null)
{
    public static Authorization None { get; } = new("-");

    /// <summary>Checked by the door before the handler runs.</summary>
    public static Authorization Needs(string action, string type) =>
        new($"{action}:{type}", new RequiredScope(action, type));

    /// <summary>Bare <c>admin</c>, implied or granted; <c>admin:all</c> is not it.</summary>
    public static Authorization Admin { get; } = new("admin", Access.RequiredScope.FullAdmin);

    /// <summary>Checked by the handler.</summary>
    public static implicit operator Authorization(string words) => new(words);
}
