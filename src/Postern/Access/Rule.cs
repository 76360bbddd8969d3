namespace Postern.Access;

/// <summary>
/// What a door asks of a caller beside the credential. Either the door itself checks one need on the collection, or the
/// handler checks, because the rule depends on the path, the body or the stored row; then the words here are what the
/// table shows, and a handler that answers without having checked is a fault (500), not an open door.
/// </summary>
internal sealed record Rule(string Words, Need? Need = null)
{
    public static Rule None { get; } = new("-");

    /// <summary>Checked by the door before the handler runs.</summary>
    public static Rule Needs(string action, string type) => new($"{action}:{type}", new Need(action, type));

    /// <summary>Bare <c>admin</c>, implied or granted; <c>admin:all</c> is not it.</summary>
    public static Rule Admin { get; } = new("admin", Access.Need.FullAdmin);

    /// <summary>Checked by the handler.</summary>
    public static implicit operator Rule(string words) => new(words);
}
