using System.Text.Json;
using Postern.Dispatch;
using Postern.Http;

namespace Postern.Bulk;

/// <summary>
/// The conditions on the things of a job: names with one or more values each, the same as for the thing's list.
/// </summary>
internal sealed class BulkFilter
{
    /// <summary>The name of the ids of things: only these.</summary>
    public const string Ids = "id";

    /// <summary>The most ids: as many as a list shows rows at most.</summary>
    public const int MaxIds = 200;

    private const int MaxMembers = 20;
    private const int MaxLength = 256;
    private const int MaxValues = 100;
    private readonly SortedDictionary<string, string[]> _values;

    private BulkFilter(SortedDictionary<string, string[]> values) => _values = values;

    /// <summary>The names that are given.</summary>
    public IEnumerable<KeyValuePair<string, string[]>> Given => _values;

    /// <summary>Returns the values of a name; none when it is missing.</summary>
    public IReadOnlyList<string> List(string name) => _values.GetValueOrDefault(name, []);

    /// <summary>Returns the one value of a name; null when it is missing.</summary>
    public string? One(string name) => List(name) is [var only, ..] ? only : null;

    /// <summary>The ends of the period <c>created</c>.</summary>
    public (long? From, long? To) Created =>
        One("created") is { } text && RunQuery.TryParseSpan(text, out var from, out var to) ? (from, to) : (null, null);

    /// <summary>The least age in microseconds; null: any age.</summary>
    public long? OlderThan =>
        One("olderThan") is { } text && Wire.TryParseSpan(text, out var span) ? Wire.Microseconds(span) : null;

    /// <summary>Returns why a member that every filter may have cannot be read, or null.</summary>
    /// <param name="ofOne">The names that take one value.</param>
    public string? WhyUnreadable(params ReadOnlySpan<string> ofOne)
    {
        foreach (var name in ofOne)
            if (List(name).Count > 1)
                return $"filter.{name} takes one value";
        if (List("created").Count > 1 || (One("created") is { } made && !RunQuery.TryParseSpan(made, out _, out _)))
            return "filter.created must be from..to in ISO 8601, either of which may be left out";
        if (List("olderThan").Count > 1 || (One("olderThan") is { } age && !Wire.TryParseSpan(age, out _)))
            return "filter.olderThan must be a span such as 2h";
        return null;
    }

    /// <summary>Returns why the values of a name cannot be read (one is not allowed), or null.</summary>
    public string? WhyNotOf(string name, IReadOnlyList<string> allowed) =>
        List(name).All(value => allowed.Contains(value, StringComparer.Ordinal))
            ? null
            : $"filter.{name} must be of {string.Join(", ", allowed)}";

    /// <summary>The filter as JSON, ordered by name, so that equal filters have equal texts.</summary>
    public override string ToString() => JsonSerializer.Serialize(_values, Wire.Json);

    /// <summary>Reads a filter that this server stored.</summary>
    public static BulkFilter Kept(string text) =>
        new(
            new SortedDictionary<string, string[]>(
                JsonSerializer.Deserialize<Dictionary<string, string[]>>(text) ?? [],
                StringComparer.Ordinal
            )
        );

    /// <summary>Reads the filter of a body: texts (with commas as in a query) or lists of texts.</summary>
    public static Checked<BulkFilter> Read(JsonElement filter, IReadOnlyList<string> names)
    {
        var values = new List<(string, string[])>();
        foreach (var member in filter.EnumerateObject())
        {
            if (JsonText.NameOf(member) is not { } name)
                return Bad("filter has a name that is no text");
            if (member.Value.ValueKind == JsonValueKind.Array)
            {
                var texts = member.Value.EnumerateArray().Select(TextOf).ToList();
                if (texts.Contains(null))
                    return Bad($"filter.{Wire.Cut(name, 64)} must be a text or a list of texts");
                values.Add((name, [.. texts.OfType<string>()]));
            }
            else if (TextOf(member.Value) is { } text)
                values.Add((name, Parts(name, text)));
            else
                return Bad($"filter.{Wire.Cut(name, 64)} must be a text or a list of texts");
        }
        return Of(values, names);
    }

    /// <summary>Reads the filter of a page's query: names with one text each.</summary>
    public static Checked<BulkFilter> Read(
        IEnumerable<KeyValuePair<string, string>> given,
        IReadOnlyList<string> names
    ) => Of([.. given.Where(g => g.Value.Length > 0).Select(g => (g.Key, Parts(g.Key, g.Value)))], names);

    private static Checked<BulkFilter> Of(List<(string Name, string[] Values)> given, IReadOnlyList<string> names)
    {
        if (given.Count > MaxMembers)
            return Bad($"filter has more than {MaxMembers} members");
        var members = new SortedDictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var (name, values) in given)
        {
            var shown = Wire.Cut(name, 64);
            if (!names.Contains(name, StringComparer.Ordinal))
                return Bad($"filter.{shown} is none of {string.Join(", ", names)}");
            var most = name == Ids ? MaxIds : MaxValues;
            if (values.Length == 0 || values.Length > most)
                return Bad($"filter.{shown} must have 1 to {most} values");
            if (values.Any(v => v.Length is 0 or > MaxLength))
                return Bad($"filter.{shown} must have values of 1 to {MaxLength} characters");
            if (values.Any(v => v.Contains('\0', StringComparison.Ordinal)))
                return Bad($"filter.{shown} must be text without NUL");
            if (!members.TryAdd(name, [.. values.Distinct(StringComparer.Ordinal)]))
                return Bad($"filter.{shown} is given twice");
        }
        return new BulkFilter(members);
    }

    private static string? TextOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? JsonText.Of(value) : null;

    private static string[] Parts(string name, string text) =>
        name is "created" or "olderThan"
            ? [text.Trim()]
            : text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static Refusal Bad(string message) =>
        Refusal.BadRequest(message, "invalid_filter") with
        {
            ShouldRetry = false,
        };
}
