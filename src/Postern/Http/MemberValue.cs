using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// Reads and checks the values of a body's members, for the attributes of records
/// (<see cref="MemberAttribute.ReaderOf"/>). Each method returns null when the member is missing, and null with a fault
/// in the fields when it is required and missing, or invalid.
///
/// A text may contain half of a character or a NUL (<see cref="MendedJson"/>). A text that decides something (a name, a
/// word, an id) is then refused, because mending would change it. A text that is only stored and shown
/// (<see cref="Content"/>, <see cref="Prose"/>) is mended.
/// </summary>
internal static class MemberValue
{
    /// <summary>The message for JSON that cannot be stored even when it is mended.</summary>
    public const string TwoNames = "holds two names that differ by a NUL only";

    /// <summary>A text with a limited length.</summary>
    public static string? Text(Fields fields, string name, int min, int max, bool required, bool trim)
    {
        if (fields.Find(name) is not { } value)
            return Missing(fields, name, required);
        if (value.ValueKind != JsonValueKind.String || JsonText.Of(value) is not { } text)
        {
            fields.Fault(name, value.ValueKind == JsonValueKind.String ? Fields.Unfit : "must be a string");
            return null;
        }
        return Fitting(fields, name, trim ? text.Trim() : text, min, max);
    }

    /// <summary>A text for people with a limited length, mended when it could not be stored.</summary>
    public static string? Prose(Fields fields, string name, int min, int max)
    {
        if (fields.Find(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.String)
            return Fitting(fields, name, MendedJson.TextOf(value), min, max);
        fields.Fault(name, "must be a string");
        return null;
    }

    private static string? Fitting(Fields fields, string name, string text, int min, int max)
    {
        if (text.Length >= min && text.Length <= max)
            return text;
        fields.Fault(
            name,
            min > 0 && text.Length < min
                ? min == 1
                    ? "must not be empty"
                    : $"must have at least {min} characters"
                : $"must have at most {max} characters"
        );
        return null;
    }

    /// <summary>One of a list of words.</summary>
    public static string? Word(Fields fields, string name, IReadOnlyList<string> words, bool required)
    {
        if (fields.Find(name) is not { } value)
            return Missing(fields, name, required);
        if (
            value.ValueKind == JsonValueKind.String
            && JsonText.Of(value) is { } text
            && words.Contains(text, StringComparer.Ordinal)
        )
            return text;
        fields.Fault(name, "must be one of " + string.Join(", ", words));
        return null;
    }

    public static long? Whole(Fields fields, string name, long min, long max, bool required)
    {
        if (fields.Find(name) is not { } value)
        {
            Missing(fields, name, required);
            return null;
        }
        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out var number)
            && number >= min
            && number <= max
        )
            return number;
        fields.Fault(
            name,
            max == long.MaxValue
                ? $"must be a whole number of at least {min}"
                : $"must be a whole number from {min} to {max}"
        );
        return null;
    }

    /// <summary>A whole number in any spelling: 1, 1.0, 1e0.</summary>
    public static long? Integer(Fields fields, string name, long min, long max)
    {
        if (fields.Find(name) is not { } value)
            return null;
        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetDecimal(out var number)
            && number == decimal.Truncate(number)
            && number >= min
            && number <= max
        )
            return (long)number;
        fields.Fault(name, $"must be a whole number from {min} to {max}");
        return null;
    }

    /// <param name="isOver">It must be over the minimum, not at it.</param>
    public static decimal? Number(Fields fields, string name, long min, long max, bool isOver)
    {
        if (fields.Find(name) is not { } value)
            return null;
        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetDecimal(out var number)
            && number <= max
            && (isOver ? number > min : number >= min)
        )
            return number;
        fields.Fault(
            name,
            isOver ? $"must be a number over {min}, at most {max}" : $"must be a number from {min} to {max}"
        );
        return null;
    }

    /// <summary>An RFC 3339 instant with an offset, as microseconds.</summary>
    public static long? Moment(Fields fields, string name, bool required)
    {
        if (Text(fields, name, 1, 64, required, trim: false) is not { } text)
            return null;
        if (Rfc3339.TryParse(text, out var instant))
            return instant;
        fields.Fault(name, "must be an RFC 3339 instant with an offset");
        return null;
    }

    public static bool? Flag(Fields fields, string name)
    {
        if (fields.Find(name) is not { } value)
            return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return value.GetBoolean();
        fields.Fault(name, "must be true or false");
        return null;
    }

    /// <summary>
    /// An instant: an ISO 8601 text, or milliseconds since 1970 where client libraries send a number.
    /// </summary>
    public static long? Instant(Fields fields, string name, bool required)
    {
        if (fields.Find(name) is not { } value)
        {
            Missing(fields, name, required);
            return null;
        }
        if (
            value.ValueKind == JsonValueKind.String
            && JsonText.Of(value) is { } text
            && Wire.TryParseInstant(text, out var instant)
        )
            return instant;
        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out var ms)
            && ms is > 0 and < 253_402_300_799_000
        )
            return ms * 1000;
        fields.Fault(name, "must be an ISO 8601 date");
        return null;
    }

    /// <summary>A list of texts.</summary>
    public static List<string>? Texts(Fields fields, string name, int maxItems, int maxLength, bool required)
    {
        if (fields.Find(name) is not { } value)
        {
            Missing(fields, name, required);
            return null;
        }
        if (value.ValueKind != JsonValueKind.Array)
        {
            fields.Fault(name, "must be a list of strings");
            return null;
        }
        var texts = new List<string>();
        foreach (var item in value.EnumerateArray())
        {
            if (
                item.ValueKind != JsonValueKind.String
                || JsonText.Of(item) is not { Length: > 0 } text
                || text.Length > maxLength
            )
            {
                fields.Fault($"{name}[{texts.Count}]", $"must be a string of 1 to {maxLength} characters");
                return null;
            }
            texts.Add(text);
        }
        if (texts.Count <= maxItems)
            return texts;
        fields.Fault(name, $"must have at most {maxItems} items");
        return null;
    }

    /// <summary>A JSON object.</summary>
    public static JsonElement? Object(Fields fields, string name, bool required)
    {
        if (fields.Find(name) is not { } value)
        {
            Missing(fields, name, required);
            return null;
        }
        if (value.ValueKind == JsonValueKind.Object)
            return value;
        fields.Fault(name, "must be an object");
        return null;
    }

    /// <summary>A list with a limited number of items.</summary>
    public static JsonElement? List(Fields fields, string name, int max, bool required)
    {
        if (fields.Find(name) is not { } value)
        {
            Missing(fields, name, required);
            return null;
        }
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() <= max)
            return value;
        fields.Fault(name, $"must be a list of at most {max} objects");
        return null;
    }

    /// <summary>A JSON object with a limited number of members.</summary>
    public static JsonElement? Map(Fields fields, string name, int max, bool required)
    {
        var value = Object(fields, name, required);
        if (value is null || value.Value.GetPropertyCount() <= max)
            return value;
        fields.Fault(name, $"must have at most {max} members");
        return null;
    }

    /// <summary>Whole numbers by their names; nulls among them are ignored.</summary>
    public static Dictionary<string, long>? Wholes(Fields fields, string name, int maxItems, long min, long max)
    {
        if (Map(fields, name, maxItems, required: false) is not { } value)
            return null;
        var numbers = new Dictionary<string, long>(StringComparer.Ordinal);
        var part = fields.Part(name)!;
        foreach (var member in value.EnumerateObject())
            if (Whole(part, member.Name, min, max, required: false) is { } number)
                numbers[member.Name] = number;
        return numbers;
    }

    /// <summary>Texts by their names of 1 to 128 characters.</summary>
    public static Dictionary<string, string>? TextsByName(Fields fields, string name, int maxItems, int maxLength)
    {
        if (Map(fields, name, maxItems, required: false) is not { } value)
            return null;
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            var text = member.Value.ValueKind == JsonValueKind.String ? JsonText.Of(member.Value) : null;
            if (
                JsonText.NameOf(member) is not { Length: > 0 and <= 128 } key
                || text is null
                || text.Length > maxLength
            )
            {
                fields.Fault(
                    name,
                    $"must be at most {maxItems} names of 1 to 128 and texts of at most {maxLength} characters"
                );
                return null;
            }
            texts[key] = text;
        }
        return texts;
    }

    /// <summary>A value of any kind, unchanged.</summary>
    public static JsonElement? Keepable(Fields fields, string name)
    {
        if (fields.Find(name) is not { } value || JsonText.IsKeepable(value))
            return fields.Find(name);
        fields.Fault(name, "holds text that is not valid Unicode");
        return null;
    }

    /// <summary>A value of any kind that is stored and returned, mended where it could not be stored.</summary>
    public static JsonElement? Content(Fields fields, string name)
    {
        if (fields.Find(name) is not { } value)
            return null;
        if (MendedJson.Keepable(value) is { } kept)
            return kept;
        fields.Fault(name, TwoNames);
        return null;
    }

    private static string? Missing(Fields fields, string name, bool required)
    {
        if (required)
            fields.Fault(name, "is required");
        return null;
    }
}
