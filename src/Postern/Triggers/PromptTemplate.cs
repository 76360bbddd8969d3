using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>What a template may insert, as texts. Headers are redacted already.</summary>
internal sealed record TemplateValues(
    string Method, string Path, string Query, IReadOnlyDictionary<string, string> QueryValues, IReadOnlyDictionary<string, string> Headers, string Body, JsonElement? BodyJson, string SourceIp, string Timestamp, string ScheduledTime);

/// <summary>
/// The prompt of a captured request. One pass from left to right: what is inserted is never looked at again, and no character of it means anything.
/// Tokens that are not known stay as they are; a path that leads nowhere is empty.
/// </summary>
internal static class PromptTemplate
{
    public const int MaxTemplate = 10_000;
    public const int MaxPrompt = 100_000;

    /// <summary>Null: the prompt would be longer than <see cref="MaxPrompt"/>.</summary>
    public static string? Render(string template, TemplateValues values)
    {
        var text = new StringBuilder(template.Length + 256);
        var at = 0;
        while (at < template.Length)
        {
            var open = template.IndexOf("{{", at, StringComparison.Ordinal);
            var close = open < 0 ? -1 : template.IndexOf("}}", open + 2, StringComparison.Ordinal);
            if (close < 0) break;
            // The innermost opening belongs to the closing.
            open = template.LastIndexOf("{{", close - 1, close - open, StringComparison.Ordinal);
            text.Append(template, at, open - at);
            text.Append(ValueOf(template[(open + 2)..close].Trim(), values) ?? template[open..(close + 2)]);
            if (text.Length > MaxPrompt) return null;
            at = close + 2;
        }
        text.Append(template, at, template.Length - at);
        return text.Length > MaxPrompt ? null : text.ToString();
    }

    private static string? ValueOf(string token, TemplateValues values)
    {
        switch (token)
        {
            case "body": return values.Body;
            case "bodyJson": return values.BodyJson is { } json ? JsonSerializer.Serialize(json, Indented) : values.Body;
            case "method": return values.Method;
            case "path": return values.Path;
            case "query": return values.Query;
            case "headers": return JsonSerializer.Serialize(values.Headers, Indented);
            case "sourceIp": return values.SourceIp;
            case "timestamp": return values.Timestamp;
            case "scheduledTime": return values.ScheduledTime;
        }
        if (token.StartsWith("query.", StringComparison.Ordinal)) return values.QueryValues.GetValueOrDefault(token["query.".Length..]) ?? "";
        if (token.StartsWith("header.", StringComparison.Ordinal)) return values.Headers.GetValueOrDefault(token["header.".Length..].ToLowerInvariant()) ?? "";
        if (!token.StartsWith("body.", StringComparison.Ordinal) && !token.StartsWith("body[", StringComparison.Ordinal)) return null;
        return JsonPath.Find(values.BodyJson, token["body".Length..]) is { } found ? TextOf(found) : "";
    }

    /// <summary>A text as it is, anything else as JSON; null is empty.</summary>
    private static string TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => Fields.TextOf(value) ?? "",
        JsonValueKind.Null => "",
        _ => value.GetRawText(),
    };

    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };
}

/// <summary>Paths into a JSON value: <c>.name</c> and <c>[0]</c>, one after another.</summary>
internal static class JsonPath
{
    public static JsonElement? Find(JsonElement? root, string path)
    {
        if (root is not { } at) return null;
        var rest = path.AsSpan();
        while (!rest.IsEmpty)
        {
            if (rest[0] == '.')
            {
                rest = rest[1..];
                var end = rest.IndexOfAny('.', '[');
                var name = end < 0 ? rest : rest[..end];
                if (name.IsEmpty || at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out var member)) return null;
                at = member;
                rest = end < 0 ? default : rest[end..];
            }
            else if (rest[0] == '[')
            {
                var end = rest.IndexOf(']');
                if (end < 0 || !int.TryParse(rest[1..end], System.Globalization.NumberStyles.None, null, out var index) || at.ValueKind != JsonValueKind.Array || index >= at.GetArrayLength()) return null;
                at = at[index];
                rest = rest[(end + 1)..];
            }
            else return null;
        }
        return at;
    }
}
