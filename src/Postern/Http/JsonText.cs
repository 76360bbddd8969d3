using System.Text.Json;

namespace Postern.Http;

/// <summary>Texts and names in JSON, as they can be kept.</summary>
internal static class JsonText
{
    /// <summary>
    /// Whether all texts in a value can be kept: escapes that are no Unicode text, or NUL, cannot, and nobody could
    /// read them back.
    /// </summary>
    public static bool IsKeepable(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => Of(value) is not null,
            JsonValueKind.Array => value.EnumerateArray().All(IsKeepable),
            JsonValueKind.Object => value.EnumerateObject().All(m => NameOf(m) is not null && IsKeepable(m.Value)),
            _ => true,
        };

    /// <summary>A member's name; null when its escapes are not valid text or hold a NUL.</summary>
    public static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name.Contains('\0', StringComparison.Ordinal) ? null : member.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>
    /// The text of a JSON string; null when its escapes are not valid text or hold a NUL, which no database keeps.
    /// </summary>
    public static string? Of(JsonElement value)
    {
        try
        {
            var text = value.GetString();
            return text is null || text.Contains('\0', StringComparison.Ordinal) ? null : text;
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate in an escape: JSON by its grammar, but no Unicode text.
            return null;
        }
    }
}
