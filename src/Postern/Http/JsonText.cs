using System.Text.Json;

namespace Postern.Http;

/// <summary>Texts and names in JSON, in a form that can be stored.</summary>
internal static class JsonText
{
    /// <summary>
    /// Returns whether all texts in a value can be stored. An escape that is no Unicode text, or a NUL, cannot be, and
    /// nobody could read it back.
    /// </summary>
    public static bool IsKeepable(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => Of(value) is not null,
            JsonValueKind.Array => value.EnumerateArray().All(IsKeepable),
            JsonValueKind.Object => value.EnumerateObject().All(m => NameOf(m) is not null && IsKeepable(m.Value)),
            _ => true,
        };

    /// <summary>Returns a member's name, or null when its escapes are not valid text or contain a NUL.</summary>
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
    /// Returns the text of a JSON string, or null when its escapes are not valid text or contain a NUL, which no
    /// database stores.
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
            // A lone surrogate in an escape: valid JSON by its grammar, but no Unicode text.
            return null;
        }
    }
}
