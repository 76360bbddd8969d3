using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// The members of a JSON object, read and checked one by one. Every fault is kept with the name of its field, so that
/// one answer names them all.
///
/// A text may hold half of a character or a NUL (<see cref="MendedJson"/>). What decides something (a name, a word, an
/// id) is then refused: it would be another once it is mended. What is only kept and shown (<see cref="Content"/>,
/// <see cref="Prose"/>) is mended.
/// </summary>
internal sealed class Fields(JsonElement root)
{
    /// <summary>What is told of a text that holds half of a character or a NUL.</summary>
    public const string Unfit = "must be Unicode text without NUL: it holds half of a character, or a NUL";

    private readonly List<(string Field, string Problem)> _faults = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private ITakesRecord? _documented;
    private bool _isStrict;

    public IReadOnlyList<(string Field, string Problem)> Faults => _faults;

    /// <summary>The whole object.</summary>
    public JsonElement Root => root;

    /// <summary>The body of a request as fields, or its refusal. The document lives as long as the request.</summary>
    public static async ValueTask<Checked<Fields>> ReadAsync(HttpContext http, int limit, bool emptyObject = false)
    {
        if (!(await RequestBody.ReadAsync(http, limit)).Try(out var body, out var tooLarge))
            return tooLarge;
        http.Response.RegisterForDispose(body);
        if (!body.Parse(emptyObject).Try(out var json, out var invalid))
            return invalid;
        http.Response.RegisterForDispose(json);
        return json.RootElement.ValueKind == JsonValueKind.Object
            ? new Fields(json.RootElement) { _documented = http.GetEndpoint()?.Metadata.GetMetadata<ITakesRecord>() }
            : Http.Refusal.BadRequest("Request body must be a JSON object", "invalid_body");
    }

    /// <summary>
    /// The record of the body, by the attributes of its members. Faults are kept; with any of them it means nothing.
    /// </summary>
    public T Read<T>()
        where T : class
    {
        if (_documented is { } shown && (shown.Request != typeof(T)))
            throw new InvalidOperationException(
                $"The door reads {typeof(T).Name}, and documents {shown.Request?.Name ?? "nothing"}."
            );
        _isStrict = RecordReader<T>.IsStrict;
        return RecordReader<T>.Read(this, _documented?.RequestIsPart == true);
    }

    /// <summary>The same body without its faults, for what may run more than once.</summary>
    public Fields Again() => new(root) { _documented = _documented };

    /// <summary>What a member is after a change: null clears it, and absent it stays what it was.</summary>
    public T? Changed<T>(string name, T? given, T? before) => IsNull(name) ? default : given ?? before;

    public void Fault(string field, string problem) => _faults.Add((field, problem));

    /// <summary>All faults in one refusal, or null. The message names each field.</summary>
    public Refusal? Refusal(int status = 400)
    {
        RefuseUnknownIfStrict();
        if (_faults.Count == 0)
            return null;
        return new Refusal(status, string.Join("; ", _faults.Select(f => $"{f.Field} {f.Problem}")), "invalid_body")
        {
            ShouldRetry = false,
        };
    }

    public bool Has(string name) => Find(name) is not null;

    public bool IsNull(string name)
    {
        _known.Add(name);
        return root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Null;
    }

    /// <summary>A text of a length, or null with a fault when it is required and missing, or unfit.</summary>
    public string? Text(string name, int min, int max, bool required = false, bool trim = false)
    {
        if (Find(name) is not { } value)
            return Missing(name, required);
        if (value.ValueKind != JsonValueKind.String || JsonText.Of(value) is not { } text)
        {
            Fault(name, value.ValueKind == JsonValueKind.String ? Unfit : "must be a string");
            return null;
        }
        return Fitting(name, trim ? text.Trim() : text, min, max);
    }

    /// <summary>A text for people, of a length, mended where it is no text that could be kept.</summary>
    public string? Prose(string name, int min, int max)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.String)
            return Fitting(name, MendedJson.TextOf(value), min, max);
        Fault(name, "must be a string");
        return null;
    }

    private string? Fitting(string name, string text, int min, int max)
    {
        if (text.Length >= min && text.Length <= max)
            return text;
        Fault(
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
    public string? Word(string name, IReadOnlyList<string> words, bool required = false)
    {
        if (Find(name) is not { } value)
            return Missing(name, required);
        if (
            value.ValueKind == JsonValueKind.String
            && JsonText.Of(value) is { } text
            && words.Contains(text, StringComparer.Ordinal)
        )
            return text;
        Fault(name, "must be one of " + string.Join(", ", words));
        return null;
    }

    public long? Whole(string name, long min, long max, bool required = false)
    {
        if (Find(name) is not { } value)
        {
            Missing(name, required);
            return null;
        }
        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out var number)
            && number >= min
            && number <= max
        )
            return number;
        Fault(
            name,
            max == long.MaxValue
                ? $"must be a whole number of at least {min}"
                : $"must be a whole number from {min} to {max}"
        );
        return null;
    }

    /// <summary>A whole number however it is spelt: 1, 1.0, 1e0.</summary>
    public long? Integer(string name, long min, long max)
    {
        if (Find(name) is not { } value)
            return null;
        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetDecimal(out var number)
            && number == decimal.Truncate(number)
            && number >= min
            && number <= max
        )
            return (long)number;
        Fault(name, $"must be a whole number from {min} to {max}");
        return null;
    }

    /// <param name="isOver">It must be over the minimum, not at it.</param>
    public decimal? Number(string name, long min, long max, bool isOver)
    {
        if (Find(name) is not { } value)
            return null;
        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetDecimal(out var number)
            && number <= max
            && (isOver ? number > min : number >= min)
        )
            return number;
        Fault(name, isOver ? $"must be a number over {min}, at most {max}" : $"must be a number from {min} to {max}");
        return null;
    }

    /// <summary>An RFC 3339 instant with an offset, as microseconds.</summary>
    public long? Moment(string name, bool required = false)
    {
        if (Text(name, 1, 64, required) is not { } text)
            return null;
        if (Rfc3339.TryParse(text, out var instant))
            return instant;
        Fault(name, "must be an RFC 3339 instant with an offset");
        return null;
    }

    public bool? Flag(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return value.GetBoolean();
        Fault(name, "must be true or false");
        return null;
    }

    /// <summary>
    /// An instant: an ISO 8601 text, or milliseconds since 1970 where client libraries send a number.
    /// </summary>
    public long? Instant(string name, bool required = false)
    {
        if (Find(name) is not { } value)
        {
            Missing(name, required);
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
        Fault(name, "must be an ISO 8601 date");
        return null;
    }

    /// <summary>A list of texts.</summary>
    public List<string>? Texts(string name, int maxItems, int maxLength, bool required = false)
    {
        if (Find(name) is not { } value)
        {
            Missing(name, required);
            return null;
        }
        if (value.ValueKind != JsonValueKind.Array)
        {
            Fault(name, "must be a list of strings");
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
                Fault($"{name}[{texts.Count}]", $"must be a string of 1 to {maxLength} characters");
                return null;
            }
            texts.Add(text);
        }
        if (texts.Count <= maxItems)
            return texts;
        Fault(name, $"must have at most {maxItems} items");
        return null;
    }

    /// <summary>A JSON object.</summary>
    public JsonElement? Object(string name, bool required = false)
    {
        if (Find(name) is not { } value)
        {
            Missing(name, required);
            return null;
        }
        if (value.ValueKind == JsonValueKind.Object)
            return value;
        Fault(name, "must be an object");
        return null;
    }

    public JsonElement? Any(string name) => Find(name);

    /// <summary>A list of at most so many items.</summary>
    public JsonElement? List(string name, int max, bool required = false)
    {
        if (Find(name) is not { } value)
        {
            Missing(name, required);
            return null;
        }
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() <= max)
            return value;
        Fault(name, $"must be a list of at most {max} objects");
        return null;
    }

    /// <summary>A value of any kind that is kept as it came.</summary>
    public JsonElement? Keepable(string name)
    {
        if (Find(name) is not { } value || JsonText.IsKeepable(value))
            return Find(name);
        Fault(name, "holds text that is not valid Unicode");
        return null;
    }

    /// <summary>
    /// A value of any kind that is kept and given back: mended where it holds what could not be kept.
    /// </summary>
    public JsonElement? Content(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (MendedJson.Keepable(value) is { } kept)
            return kept;
        Fault(name, "holds two names that differ by a NUL only");
        return null;
    }

    /// <summary>A JSON object that is kept and given back, mended likewise.</summary>
    public JsonElement? ContentObject(string name, bool required = false) =>
        Object(name, required) is null ? null : Content(name);

    private JsonElement? Find(string name)
    {
        _known.Add(name);
        return
            root.TryGetProperty(name, out var value)
            && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined)
            ? value
            : null;
    }

    private string? Missing(string name, bool required)
    {
        if (required)
            Fault(name, "is required");
        return null;
    }

    /// <summary>Members that were in the body and that nobody asked for.</summary>
    public List<(string Name, JsonElement Value)> Unknown()
    {
        var unknown = new List<(string, JsonElement)>();
        foreach (var member in root.EnumerateObject())
        {
            if (JsonText.NameOf(member) is not { Length: > 0 and <= 128 } name)
                Fault("body", "holds a name that is not valid, or longer than 128 characters");
            else if (!_known.Contains(name))
                unknown.Add((name, member.Value));
        }
        return unknown;
    }

    /// <summary>The same where the record that was read is strict: after its own faults, and once.</summary>
    public void RefuseUnknownIfStrict()
    {
        if (_isStrict)
            RefuseUnknown();
        _isStrict = false;
    }

    /// <summary>
    /// Names that were in the body and that nobody asked for, as faults: for routes whose bodies are strict.
    /// </summary>
    public void RefuseUnknown()
    {
        foreach (var member in root.EnumerateObject())
        {
            var name = JsonText.NameOf(member);
            if (name is null || !_known.Contains(name))
                Fault(name ?? "body", name is null ? "holds a name that is not valid Unicode" : "is not a known field");
        }
    }
}
