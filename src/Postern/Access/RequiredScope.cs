namespace Postern.Access;

/// <summary>
/// The right that a route requires: an action on a type, on one thing of it (by either of its two names) or on the
/// collection.
/// </summary>
/// <param name="How">How the right must have been given.</param>
internal readonly record struct RequiredScope(
    string Action,
    string Type,
    string? Id = null,
    string? OtherId = null,
    Given How = Given.Anyhow
)
{
    /// <summary>The bare word <c>admin</c>, or an unrestricted key: <c>admin:all</c> is not enough.</summary>
    public static RequiredScope FullAdmin { get; } = new("admin", "");

    /// <summary>The bare word <c>admin</c>, given explicitly.</summary>
    public static RequiredScope GrantedAdmin { get; } = new("admin", "", How: Given.Explicitly);

    public override string ToString() =>
        Type.Length == 0 ? Action
        : Id is null ? $"{Action}:{Type}"
        : $"{Action}:{Type}:{Id}";
}
