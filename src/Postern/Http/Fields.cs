using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// The body of a request as a JSON object. It is read once, as the record that its door documents
/// (<see cref="Read{T}"/>); its handler adds further faults. Every fault has the name of its field, and one answer
/// contains all of them.
/// </summary>
internal sealed class Fields
{
    /// <summary>The message for a text with half of a character or a NUL.</summary>
    public const string Unfit = "must be Unicode text without NUL: it holds half of a character, or a NUL";

    private readonly JsonElement _root;
    private readonly ITakesRecord? _documented;
    private readonly bool _isPart;
    private readonly Fields? _whole;
    private readonly string _at = "body";
    private readonly List<(string Field, string Problem)> _faults = [];
    private Dictionary<string, Fields>? _parts;
    private IReadOnlySet<string> _known = new HashSet<string>(StringComparer.Ordinal);

    /// <param name="root">An object.</param>
    /// <param name="isPart">It changes what is there: any member may be left out.</param>
    public Fields(JsonElement root, bool isPart = false) => (_root, _isPart) = (root, isPart);

    private Fields(JsonElement root, ITakesRecord? documented, bool isPart = false) =>
        (_root, _documented, _isPart) = (root, documented, isPart);

    private Fields(JsonElement root, Fields whole, string at) => (_root, _whole, _at) = (root, whole, at);

    public IReadOnlyList<(string Field, string Problem)> Faults => _faults;

    /// <summary>The whole object.</summary>
    public JsonElement Root => _root;

    /// <summary>
    /// Returns the body of a request as fields, or its refusal. The document lives as long as the request.
    /// </summary>
    public static async ValueTask<Checked<Fields>> ReadAsync(HttpContext http, int limit, bool emptyObject = false)
    {
        if (!(await RequestBody.ReadAsync(http, limit)).Try(out var body, out var tooLarge))
            return tooLarge;
        http.Response.RegisterForDispose(body);
        if (!body.Parse(emptyObject).Try(out var json, out var invalid))
            return invalid;
        http.Response.RegisterForDispose(json);
        return json.RootElement.ValueKind == JsonValueKind.Object
            ? new Fields(json.RootElement, http.GetEndpoint()?.Metadata.GetMetadata<ITakesRecord>())
            : Http.Refusal.BadRequest("Request body must be a JSON object", "invalid_body");
    }

    /// <summary>
    /// Returns the record of the body, read by the attributes of its members. Faults are collected; with any of them
    /// the record is meaningless.
    /// </summary>
    public T Read<T>()
        where T : class
    {
        if (_documented is { } shown && (shown.Request != typeof(T)))
            throw new InvalidOperationException(
                $"The door reads {typeof(T).Name}, and documents {shown.Request?.Name ?? "nothing"}."
            );
        _known = RecordReader<T>.Names;
        var record = RecordReader<T>.Read(this, _isPart || _documented?.RequestIsPart == true);
        if (RecordReader<T>.IsStrict)
            RefuseUnknown();
        return record;
    }

    /// <summary>Returns the same body without its faults, for code that may run more than once.</summary>
    public Fields Again() => new(_root, _documented, _isPart);

    /// <summary>
    /// Returns an object inside the body, under its member's name. Its faults belong to the whole body and are named by
    /// their path. Null when the member is missing or no object.
    /// </summary>
    public Fields? Part(string name)
    {
        if (_parts?.TryGetValue(name, out var known) == true)
            return known;
        if (Find(name) is not { ValueKind: JsonValueKind.Object } given)
            return null;
        var part = PartAt(name, given);
        (_parts ??= new(StringComparer.Ordinal)).Add(name, part);
        return part;
    }

    /// <summary>An object inside the body, at any place.</summary>
    public Fields PartAt(string at, JsonElement given) => new(given, this, at);

    /// <summary>Returns a member after a change: null clears it, and a missing one keeps the old value.</summary>
    public T? Changed<T>(string name, T? given, T? before) => IsNull(name) ? default : given ?? before;

    public void Fault(string field, string problem)
    {
        _faults.Add((field, problem));
        _whole?.Fault($"{_at}.{field}", problem);
    }

    /// <summary>Returns all faults in one refusal, or null. The message names each field.</summary>
    public Refusal? Refusal(int status = 400)
    {
        if (_faults.Count == 0)
            return null;
        return new Refusal(status, string.Join("; ", _faults.Select(f => $"{f.Field} {f.Problem}")), "invalid_body")
        {
            ShouldRetry = false,
        };
    }

    public bool IsNull(string name) =>
        _root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>Returns whether the member is present, even as null.</summary>
    public bool Names(string name) => _root.TryGetProperty(name, out _);

    /// <summary>
    /// Returns the whole object in a form that can be stored and returned: mended. Null with a fault when that is
    /// impossible.
    /// </summary>
    public JsonElement? Mended()
    {
        if (MendedJson.Keepable(_root) is { } kept)
            return kept;
        _faults.Add((_at, MemberValue.TwoNames));
        _whole?.Fault(_at, MemberValue.TwoNames);
        return null;
    }

    /// <summary>Returns the members of the body that its record does not name.</summary>
    public List<(string Name, JsonElement Value)> Unknown()
    {
        var unknown = new List<(string, JsonElement)>();
        foreach (var member in _root.EnumerateObject())
        {
            if (JsonText.NameOf(member) is not { Length: > 0 and <= 128 } name)
                Fault("body", "holds a name that is not valid, or longer than 128 characters");
            else if (!_known.Contains(name))
                unknown.Add((name, member.Value));
        }
        return unknown;
    }

    /// <summary>
    /// Returns a member's value; null when it is missing or null. Only for the attributes of records.
    /// </summary>
    internal JsonElement? Find(string name) =>
        _root.TryGetProperty(name, out var value)
        && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined)
            ? value
            : null;

    private void RefuseUnknown()
    {
        foreach (var member in _root.EnumerateObject())
        {
            var name = JsonText.NameOf(member);
            if (name is null || !_known.Contains(name))
                Fault(name ?? "body", name is null ? "holds a name that is not valid Unicode" : "is not a known field");
        }
    }
}
