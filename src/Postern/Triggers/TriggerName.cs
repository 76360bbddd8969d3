using System.Buffers.Text;
using System.Text;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>The namespace of a trigger: <c>user/{id}</c> or <c>org/{id}</c>, with the id decoded.</summary>
internal sealed record TriggerName(
    [property: Column("kind")] string Kind,
    [property: Column("owner")] string Owner,
    [property: Column("id")] string Id
)
{
    /// <summary>The name in callbacks and dispatches.</summary>
    public string Namespace => $"{Kind}/{Owner}";

    /// <summary>
    /// The name in scopes: its parts, written so that no two triggers have the same name. A slash in an owner is
    /// written as in the path, a slash in an id as <c>%2F</c>. Other names are plain texts, as they always were.
    /// </summary>
    public string Scope => $"{Kind}/{(IsEncoded(Owner) ? Encode(Owner) : Owner)}/{ScopeOf(Id)}";

    public string Path => $"{Kind}/{Encode(Owner)}/{Uri.EscapeDataString(Id)}";

    /// <summary>
    /// An id with a slash is sent as <c>o-</c> and base64url; so is an id that begins like that by itself.
    /// </summary>
    public static string Encode(string owner) =>
        IsEncoded(owner) ? "o-" + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(owner)) : Uri.EscapeDataString(owner);

    private static bool IsEncoded(string owner) =>
        owner.Contains('/', StringComparison.Ordinal) || owner.StartsWith("o-", StringComparison.Ordinal);

    /// <summary>Escapes a part that needs it, or that looks as if it were escaped.</summary>
    private static string ScopeOf(string id)
    {
        string[] marks = ["/", "%2F", "%25"];
        if (!marks.Any(mark => id.Contains(mark, StringComparison.Ordinal)))
            return id;
        return id.Replace("%", "%25", StringComparison.Ordinal).Replace("/", "%2F", StringComparison.Ordinal);
    }

    /// <summary>Returns the trigger that the segments of a path name, or null.</summary>
    public static TriggerName? OfPath(string? kind, string? owner, string? id) =>
        kind is "user" or "org"
        && owner is { Length: <= 400 }
        && Decode(owner) is { Length: <= 200 } decoded
        && id is { Length: <= 128 }
            ? new TriggerName(kind, decoded, id)
            : null;

    /// <summary>Returns the trigger that <see cref="Scope"/> names, or null.</summary>
    public static TriggerName? OfScope(string scope)
    {
        if (
            scope.Split('/') is not [("user" or "org") and var kind, { Length: > 0 } owner, { Length: > 0 } id]
            || Decode(owner) is not { } decoded
        )
            return null;
        var name = new TriggerName(
            kind,
            decoded,
            id.Replace("%2F", "/", StringComparison.Ordinal).Replace("%25", "%", StringComparison.Ordinal)
        );
        // A name that is not in its one spelling is refused.
        return name.Scope == scope ? name
            : name with { Id = id } is var plain && plain.Scope == scope ? plain
            : null;
    }

    /// <summary>Returns a trigger of a namespace, or null when the name is not valid.</summary>
    public static TriggerName? In(string space, string id) =>
        space.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash
            ? new TriggerName(space[..slash], space[(slash + 1)..], id)
            : null;

    /// <summary>Returns null when it begins with <c>o-</c> but is not validly encoded.</summary>
    public static string? Decode(string segment)
    {
        if (!segment.StartsWith("o-", StringComparison.Ordinal))
            return segment;
        var encoded = segment.AsSpan(2);
        if (encoded.Length is 0 or > 400 || !Base64Url.IsValid(encoded))
            return null;
        var bytes = Base64Url.DecodeFromChars(encoded);
        return
            System.Text.Unicode.Utf8.IsValid(bytes)
            && Encoding.UTF8.GetString(bytes) is { Length: > 0 } text
            && !text.Contains('\0', StringComparison.Ordinal)
            ? text
            : null;
    }
}
