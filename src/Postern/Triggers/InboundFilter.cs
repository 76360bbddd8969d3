using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// Which requests start anything: <c>{"headers"?: {name: [values]}, "body"?: [{"path", "equals"}]}</c>. All must hold; a header holds with any of its values.
/// </summary>
internal static class InboundFilter
{
    private const int MaxRules = 50;

    /// <summary>The filter as it is kept; faults are left in <paramref name="fields"/>.</summary>
    public static string? Read(Fields fields)
    {
        if (fields.Object("filter") is not { } given) return null;
        var filter = new Fields(given);
        foreach (var header in filter.Object("headers")?.EnumerateObject() ?? default)
            if (Fields.NameOf(header) is not { Length: > 0 and <= 128 } || header.Value.ValueKind != JsonValueKind.Array || header.Value.GetArrayLength() is 0 or > MaxRules || header.Value.EnumerateArray().Any(v => v.ValueKind != JsonValueKind.String || Fields.TextOf(v) is null))
                fields.Fault("filter.headers", $"must map names to lists of 1 to {MaxRules} texts");
        if (filter.Any("body") is { } body)
        {
            if (body.ValueKind != JsonValueKind.Array || body.GetArrayLength() > MaxRules || body.EnumerateArray().Any(r => r.ValueKind != JsonValueKind.Object || !r.TryGetProperty("path", out var path) || path.ValueKind != JsonValueKind.String || Fields.TextOf(path) is null || !r.TryGetProperty("equals", out _)))
                fields.Fault("filter.body", $"must be a list of at most {MaxRules} objects with path and equals");
        }
        filter.RefuseUnknown();
        foreach (var (field, problem) in filter.Faults) fields.Fault("filter." + field, problem);
        return given.GetRawText();
    }

    public static bool Passes(string? filter, IHeaderDictionary headers, JsonElement? body)
    {
        if (filter is null) return true;
        using var rules = JsonDocument.Parse(filter);
        if (rules.RootElement.TryGetProperty("headers", out var names) && names.ValueKind == JsonValueKind.Object)
            foreach (var name in names.EnumerateObject())
                if (!headers.TryGetValue(name.Name, out var values) || !name.Value.EnumerateArray().Any(v => values.Contains(v.GetString()))) return false;
        if (!rules.RootElement.TryGetProperty("body", out var paths) || paths.ValueKind != JsonValueKind.Array) return true;
        foreach (var rule in paths.EnumerateArray())
        {
            var path = rule.GetProperty("path").GetString()!;
            if (JsonPath.Find(body, path.StartsWith('.') || path.StartsWith('[') ? path : "." + path) is not { } found || !JsonElement.DeepEquals(found, rule.GetProperty("equals"))) return false;
        }
        return true;
    }
}
