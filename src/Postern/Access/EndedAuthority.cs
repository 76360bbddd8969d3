using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The rows that a restored database takes over from the database that it replaces, so that what has ended stays ended.
/// Keys and callback secrets keep their last state (revoked, rotated, narrowed); revocations and used one-time tokens
/// stay. What was made after the backup is not brought back.
/// </summary>
internal static class EndedAuthority
{
    public static IReadOnlyList<CarriedTable> Tables { get; } =
    [
        new("api_key", ["project", "id"], "changed", Adds: false, "keys that were changed, rotated or revoked"),
        new("callback_secret", ["project", "id"], "changed", Adds: false, "callback secrets that were revoked"),
        new("revocation", ["project", "kind", "value"], "changed", Adds: true, "rows that revoke tokens"),
        new("console_session", ["project", "id"], "changed", Adds: false, "sessions of the console that ended"),
        new("used_token", ["project", "digest"], null, Adds: true, "used one-time tokens"),
    ];
}
