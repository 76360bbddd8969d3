using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using BitFaster.Caching.Lru;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// Decides which requests start something. <c>{"headers"?: …, "body"?: [{"path", CONDITION}]}</c>; all conditions must
/// hold. Headers are <c>{name: [values]}</c>, <c>{name: {CONDITION}}</c> or <c>[{"name", CONDITION}]</c>. A
/// condition is one of <c>equals</c>, <c>notEquals</c>, <c>in</c>, <c>notIn</c>, <c>exists</c>, <c>startsWith</c>,
/// <c>matches</c>. A missing value equals nothing, so <c>notEquals</c> and <c>notIn</c> hold for it. A null equals
/// null, and does not exist.
/// </summary>
internal static class InboundFilter
{
    private const int MaxRules = 50;
    private const int MaxPattern = 500;
    private static readonly TimeSpan MatchLimit = TimeSpan.FromSeconds(1);
    private static readonly string[] Conditions =
    [
        "equals",
        "notEquals",
        "in",
        "notIn",
        "exists",
        "startsWith",
        "matches",
    ];

    /// <summary>A cache of compiled patterns.</summary>
    private static readonly ConcurrentLru<string, Regex> Patterns = new(256);

    /// <summary>Returns the filter as it is stored; its faults are left in <paramref name="filter"/>.</summary>
    public static string Of(PutFilter asked, Fields filter)
    {
        if (asked.Headers is { } headers)
            ReadHeaders(filter, headers);
        if (asked.Body is { } body && ItemsOf(filter, "body", body) is { } items)
            foreach (var (at, item) in items.Index())
                ReadItem(filter, $"body[{at}]", item, "path");
        return filter.Root.GetRawText();
    }

    /// <summary>
    /// Returns a stored filter as valid JSON: earlier versions accepted texts with half of a character.
    /// </summary>
    public static byte[] Readable(string filter) => MendedJson.Of(Encoding.UTF8.GetBytes(filter)).ToArray();

    /// <summary>Returns whether a filter reads the body.</summary>
    public static bool ReadsFields(string? filter)
    {
        if (filter is null)
            return false;
        using var rules = JsonDocument.Parse(Readable(filter), Wire.Kept);
        return rules.RootElement.TryGetProperty("body", out var body)
            && body.ValueKind == JsonValueKind.Array
            && body.GetArrayLength() > 0;
    }

    /// <param name="filter">As it is kept; null lets everything through.</param>
    /// <param name="headers">The request's.</param>
    /// <param name="body">Its body as JSON; null when it is none.</param>
    public static bool Passes(string? filter, IHeaderDictionary headers, JsonElement? body)
    {
        if (filter is null)
            return true;
        using var rules = JsonDocument.Parse(Readable(filter), Wire.Kept);
        if (rules.RootElement.TryGetProperty("headers", out var names) && !HeadersPass(names, headers))
            return false;
        if (!rules.RootElement.TryGetProperty("body", out var paths) || paths.ValueKind != JsonValueKind.Array)
            return true;
        foreach (var rule in paths.EnumerateArray())
        {
            var found = JsonPath.Parse(rule.GetProperty("path").GetString()!)?.Find(body);
            // For conditions that compare values, null is a value.
            if (found is { ValueKind: JsonValueKind.Null } && rule.TryGetProperty("exists", out _))
                found = null;
            if (!Holds(rule, found is { } value ? [value] : []))
                return false;
        }
        return true;
    }

    private static bool HeadersPass(JsonElement rules, IHeaderDictionary headers)
    {
        if (rules.ValueKind == JsonValueKind.Array)
            return rules.EnumerateArray().All(rule => Holds(rule, ValuesOf(headers, NameOf(rule))));
        return rules.ValueKind != JsonValueKind.Object
            || rules
                .EnumerateObject()
                .All(rule =>
                    rule.Value.ValueKind == JsonValueKind.Array
                        ? ValuesOf(headers, rule.Name).Any(value => IsAnyOf(value, rule.Value))
                        : Holds(rule.Value, ValuesOf(headers, rule.Name))
                );
    }

    private static string NameOf(JsonElement rule) =>
        (rule.TryGetProperty("name", out var name) ? name : rule.GetProperty("path")).GetString()!;

    private static List<JsonElement> ValuesOf(IHeaderDictionary headers, string name) =>
        headers.TryGetValue(name, out var values)
            ? [.. values.Select(value => JsonSerializer.SerializeToElement(value ?? "", Wire.Json))]
            : [];

    /// <summary>Returns whether the condition of a rule holds for the values of one name, or for none.</summary>
    private static bool Holds(JsonElement rule, List<JsonElement> there)
    {
        var condition = Array.Find(Conditions, name => rule.TryGetProperty(name, out _))!;
        var wanted = rule.GetProperty(condition);
        return condition switch
        {
            "equals" => there.Any(value => JsonElement.DeepEquals(value, wanted)),
            "notEquals" => !there.Any(value => JsonElement.DeepEquals(value, wanted)),
            "in" => there.Any(value => IsAnyOf(value, wanted)),
            "notIn" => !there.Any(value => IsAnyOf(value, wanted)),
            "exists" => (there.Count > 0) == wanted.GetBoolean(),
            "startsWith" => there.Any(value =>
                TextOf(value)?.StartsWith(wanted.GetString()!, StringComparison.Ordinal) == true
            ),
            _ => there.Any(value => TextOf(value) is { } text && Matches(text, wanted.GetString()!)),
        };
    }

    private static bool IsAnyOf(JsonElement value, JsonElement list) =>
        list.EnumerateArray().Any(wanted => JsonElement.DeepEquals(value, wanted));

    /// <summary>Returns a text, number or truth value as text; null for an object or a list.</summary>
    private static string? TextOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => MendedJson.TextOf(value),
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
            _ => null,
        };

    /// <summary>A pattern that takes longer than the limit does not match.</summary>
    private static bool Matches(string text, string pattern)
    {
        try
        {
            return PatternOf(pattern).IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    /// <summary>The time grows only linearly with the text, whatever the pattern.</summary>
    private static Regex PatternOf(string pattern) =>
        Patterns.GetOrAdd(
            pattern,
            text => new Regex(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, MatchLimit)
        );

    private static void ReadHeaders(Fields filter, JsonElement headers)
    {
        if (headers.ValueKind == JsonValueKind.Array)
        {
            if (ItemsOf(filter, "headers", headers) is { } items)
                foreach (var (at, item) in items.Index())
                    ReadItem(filter, $"headers[{at}]", item, "name", "path");
            return;
        }
        if (headers.ValueKind != JsonValueKind.Object)
        {
            filter.Fault("headers", "must map names to lists of texts or to conditions, or be a list of conditions");
            return;
        }
        var count = 0;
        foreach (var header in headers.EnumerateObject())
        {
            if (++count > MaxRules)
                filter.Fault("headers", $"must have at most {MaxRules} names");
            if (count > MaxRules)
                return;
            var name = JsonText.NameOf(header);
            var field = name is null ? "headers" : $"headers.{name}";
            if (name is not { Length: > 0 and <= 128 })
                filter.Fault("headers", "must map names of 1 to 128 characters to lists of texts or to conditions");
            else if (header.Value.ValueKind == JsonValueKind.Object)
                ReadCondition(filter, field, header.Value, []);
            else if (!IsListOfTexts(header.Value))
                filter.Fault(field, $"must be a list of 1 to {MaxRules} texts, or a condition");
        }
    }

    private static List<JsonElement>? ItemsOf(Fields filter, string field, JsonElement list)
    {
        if (list.ValueKind == JsonValueKind.Array && list.GetArrayLength() <= MaxRules)
            return [.. list.EnumerateArray()];
        filter.Fault(field, $"must be a list of at most {MaxRules} conditions");
        return null;
    }

    /// <param name="filter">Where faults are left.</param>
    /// <param name="field">What the item is called in them.</param>
    /// <param name="item">The item.</param>
    /// <param name="names">The members one of which names the value to check.</param>
    private static void ReadItem(Fields filter, string field, JsonElement item, params string[] names)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            filter.Fault(field, $"must be an object with {names[0]} and one of {string.Join(", ", Conditions)}");
            return;
        }
        var said = names.Where(name => item.TryGetProperty(name, out _)).ToList();
        var text =
            said is [var one] && item.GetProperty(one) is { ValueKind: JsonValueKind.String } value
                ? JsonText.Of(value)
                : null;
        if (text is not { Length: > 0 and <= 500 })
            filter.Fault($"{field}.{names[0]}", "must be a text of 1 to 500 characters");
        else if (names[0] == "path" && JsonPath.Parse(text) is null)
            filter.Fault($"{field}.path", "is no path: names with dots between them, [0], [\"any name\"]");
        ReadCondition(filter, field, item, names);
    }

    private static void ReadCondition(Fields filter, string field, JsonElement item, string[] names)
    {
        var members = item.EnumerateObject().Select(JsonText.NameOf).ToList();
        if (
            members.Find(m =>
                m is null
                || !(names.Contains(m, StringComparer.Ordinal) || Conditions.Contains(m, StringComparer.Ordinal))
            ) is
            { } unknown
        )
            filter.Fault($"{field}.{unknown}", "is not a known field");
        var said = Conditions.Where(name => item.TryGetProperty(name, out _)).ToList();
        if (said is not [var condition] || members.Contains(null))
        {
            filter.Fault(field, $"must have exactly one of {string.Join(", ", Conditions)}");
            return;
        }
        var wanted = item.GetProperty(condition);
        if (Validate(condition, wanted, isHeader: names is not ["path"]) is { } problem)
            filter.Fault($"{field}.{condition}", problem);
    }

    private static string? Validate(string condition, JsonElement wanted, bool isHeader)
    {
        if (!JsonText.IsKeepable(wanted))
            return Fields.Unfit;
        var isText = wanted.ValueKind == JsonValueKind.String;
        return condition switch
        {
            "in" or "notIn" => ValidateList(wanted, isHeader),
            "exists" => wanted.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : "must be true or false",
            "equals" or "notEquals" when !isHeader => null,
            "equals" or "notEquals" or "startsWith" => isText ? null : "must be a text",
            _ => ValidatePattern(isText ? wanted.GetString()! : ""),
        };
    }

    private static string? ValidatePattern(string pattern) =>
        pattern.Length is > 0 and <= MaxPattern
            ? ValidateExpression(pattern)
            : $"must be a regular expression of 1 to {MaxPattern} characters";

    private static string? ValidateList(JsonElement wanted, bool isHeader)
    {
        if (isHeader)
            return IsListOfTexts(wanted) ? null : $"must be a list of 1 to {MaxRules} texts";
        return wanted.ValueKind == JsonValueKind.Array && wanted.GetArrayLength() is > 0 and <= MaxRules
            ? null
            : $"must be a list of 1 to {MaxRules} values";
    }

    private static string? ValidateExpression(string pattern)
    {
        try
        {
            PatternOf(pattern);
            return null;
        }
        catch (NotSupportedException)
        {
            return "is too large, or looks around or back, which is not supported";
        }
        catch (ArgumentException)
        {
            return "is no regular expression";
        }
    }

    private static bool IsListOfTexts(JsonElement list) =>
        list.ValueKind == JsonValueKind.Array
        && list.GetArrayLength() is > 0 and <= MaxRules
        && list.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String && JsonText.Of(v) is not null);
}
