using System.Buffers.Text;
using System.Text;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>Whose trigger it is: <c>user/{id}</c> or <c>org/{id}</c>, the id decoded.</summary>
internal sealed record TriggerName(
    [property: Column("kind")] string Kind,
    [property: Column("owner")] string Owner,
    [property: Column("id")] string Id
)
{
    /// <summary>As callbacks and dispatches name it.</summary>
    public string Namespace => $"{Kind}/{Owner}";

    /// <summary>
    /// What scopes name it by: its parts, so written that no two triggers have one name. An owner with a slash stands
    /// as in the path, an id with one has it as <c>%2F</c>; other names are the plain texts, as they always were.
    /// </summary>
    public string Scope => $"{Kind}/{(IsEncoded(Owner) ? Encode(Owner) : Owner)}/{ScopeOf(Id)}";

    public string Path => $"{Kind}/{Encode(Owner)}/{Uri.EscapeDataString(Id)}";

    /// <summary>
    /// An id with a slash travels as <c>o-</c> and base64url; so does a literal one that begins like that.
    /// </summary>
    public static string Encode(string owner) =>
        IsEncoded(owner) ? "o-" + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(owner)) : Uri.EscapeDataString(owner);

    private static bool IsEncoded(string owner) =>
        owner.Contains('/', StringComparison.Ordinal) || owner.StartsWith("o-", StringComparison.Ordinal);

    /// <summary>Escaped where it must be, and where it reads as if it had been.</summary>
    private static string ScopeOf(string id)
    {
        string[] marks = ["/", "%2F", "%25"];
        if (!marks.Any(mark => id.Contains(mark, StringComparison.Ordinal)))
            return id;
        return id.Replace("%", "%25", StringComparison.Ordinal).Replace("/", "%2F", StringComparison.Ordinal);
    }

    /// <summary>The trigger that the segments of a path name; null when they name none.</summary>
    public static TriggerName? OfPath(string? kind, string? owner, string? id) =>
        kind is "user" or "org"
        && owner is { Length: <= 400 }
        && Decode(owner) is { Length: <= 200 } decoded
        && id is { Length: <= 128 }
            ? new TriggerName(kind, decoded, id)
            : null;

    /// <summary>The trigger that <see cref="Scope"/> names; null when it names none.</summary>
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
        // A name that would be written in another way is none.
        return name.Scope == scope ? name
            : name with { Id = id } is var plain && plain.Scope == scope ? plain
            : null;
    }

    /// <summary>A trigger of a namespace; null when it is none.</summary>
    public static TriggerName? In(string space, string id) =>
        space.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash
            ? new TriggerName(space[..slash], space[(slash + 1)..], id)
            : null;

    /// <summary>Null: begins <c>o-</c>, but what follows encodes nothing.</summary>
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
