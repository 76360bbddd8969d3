using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// The prompt of a captured request. It is made in one pass from left to right: inserted text is not read again, so no
/// character of it has a meaning. A token is one value, or several separated by <c>??</c>; the first one that exists
/// and is not empty counts. Later values may be quoted texts. Unknown tokens stay unchanged. A token without any value
/// is empty.
/// </summary>
internal static class PromptTemplate
{
    public const int MaxTemplate = 10_000;
    public const int MaxPrompt = 100_000;

    private const string Or = "??";
    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };

    /// <summary>Returns the text, or null when it would be longer than <see cref="MaxPrompt"/>.</summary>
    public static string? Render(string template, TemplateValues values) => Render(template, values, out _);

    /// <summary>
    /// Returns the name that a template gives. Returns null when it is empty, too long, or when one of its tokens is
    /// empty, unknown or redacted: requests about different things would get the same name.
    /// </summary>
    public static string? RenderKey(string template, TemplateValues values) =>
        Render(template, values, out var isComplete) is { } key && isComplete && !string.IsNullOrWhiteSpace(key)
            ? key
            : null;

    /// <summary>Returns whether a template reads the body. A body that cannot be read is then an error.</summary>
    public static bool ReadsFields(string template)
    {
        foreach (var (_, token) in TokensOf(template))
            if (token is not null && token.Any(value => value.Path is not null && value.Source == "body"))
                return true;
        return false;
    }

    private static string? Render(string template, TemplateValues values, out bool isComplete)
    {
        isComplete = true;
        var text = new StringBuilder(template.Length + 256);
        foreach (var (literal, token) in TokensOf(template))
        {
            text.Append(literal.Span);
            isComplete &= !HoldsToken(literal.Span);
            if (token is not null)
            {
                var found = token.Select(value => value.Of(values)).FirstOrDefault(t => !string.IsNullOrEmpty(t));
                isComplete &=
                    token[^1].Literal is not null || (!string.IsNullOrWhiteSpace(found) && found != Redaction.Redacted);
                text.Append(found);
            }
            if (text.Length > MaxPrompt)
                return null;
        }
        return text.ToString();
    }

    /// <summary>Returns whether a text contains braces that look like a token but are no known one.</summary>
    private static bool HoldsToken(ReadOnlySpan<char> text) =>
        text.IndexOf("{{") is >= 0 and var open && text[open..].IndexOf("}}") >= 0;

    /// <summary>
    /// The parts of a template: a text with the token behind it; the token is null after the last text.
    /// </summary>
    private static IEnumerable<(ReadOnlyMemory<char> Literal, List<Value>? Token)> TokensOf(string template)
    {
        var (from, at) = (0, 0);
        while (template.IndexOf("{{", at, StringComparison.Ordinal) is >= 0 and var open)
        {
            var end = open + 2;
            if (ReadToken(template, ref end) is { } token)
            {
                yield return (template.AsMemory(from, open - from), token);
                (from, at) = (end, end);
            }
            else
                at = open + 1;
        }
        yield return (template.AsMemory(from), null);
    }

    /// <summary>Reads a token up to its closing braces. Returns null when it is no known token.</summary>
    private static List<Value>? ReadToken(string template, ref int at)
    {
        var token = new List<Value>();
        for (var now = at; ; )
        {
            SkipBlanks(template, ref now);
            if (Value.Read(template, ref now, mayBeLiteral: token.Count > 0) is not { } value)
                return null;
            token.Add(value);
            SkipBlanks(template, ref now);
            if (template.AsSpan(now).StartsWith("}}"))
            {
                at = now + 2;
                return token;
            }
            if (!template.AsSpan(now).StartsWith(Or))
                return null;
            now += Or.Length;
        }
    }

    private static void SkipBlanks(string text, ref int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
            at++;
    }

    /// <summary>
    /// A value of a token: a source such as <c>method</c>, a path or a name in one, or a quoted text.
    /// </summary>
    private sealed record Value(string? Source, JsonPath? Path, string? Name, string? Literal)
    {
        private static readonly string[] Whole =
        [
            "bodyJson",
            "body",
            "method",
            "path",
            "query",
            "headers",
            "sourceIp",
            "timestamp",
            "scheduledTime",
        ];

        public static Value? Read(string template, ref int at, bool mayBeLiteral)
        {
            if (at >= template.Length)
                return null;
            if (template[at] is '"' or '\'')
            {
                return mayBeLiteral && JsonPath.ReadQuoted(template, ref at) is { } literal
                    ? new Value(null, null, null, literal)
                    : null;
            }
            var end = at;
            while (end < template.Length && char.IsAsciiLetter(template[end]))
                end++;
            var source = template[at..end];
            if (end < template.Length && template[end] is '.' or '[')
                return ReadPart(template, ref at, source, end);
            if (!Whole.Contains(source, StringComparer.Ordinal))
                return null;
            at = end;
            return new Value(source, null, null, null);
        }

        private static Value? ReadPart(string template, ref int at, string source, int from) =>
            source switch
            {
                "body" => ReadPath(template, ref at, from),
                "query" or "header" => ReadName(template, ref at, source, from),
                _ => null,
            };

        /// <summary>
        /// A path into the body. An invalid path finds nothing, like one that the body does not have.
        /// </summary>
        private static Value ReadPath(string template, ref int at, int from)
        {
            at = from;
            if (JsonPath.Read(template, ref at, LengthOfName) is { } path)
                return new Value("body", path, null, null);
            at = from + LengthOfName(template[from..]);
            return new Value("body", JsonPath.Nowhere, null, null);
        }

        /// <summary>
        /// The name of a header or a query value: the rest of the token, or a name in brackets and quotes.
        /// </summary>
        private static Value? ReadName(string template, ref int at, string source, int from)
        {
            if (template[from] == '[')
            {
                var quoted = from + 1;
                if (quoted >= template.Length || template[quoted] is not ('"' or '\''))
                    return null;
                if (JsonPath.ReadQuoted(template, ref quoted) is not { } inside)
                    return null;
                if (quoted >= template.Length || template[quoted] != ']')
                    return null;
                at = quoted + 1;
                return new Value(source, null, inside, null);
            }
            var length = LengthOfName(template[(from + 1)..]);
            if (length == 0)
                return null;
            at = from + 1 + length;
            return new Value(source, null, template.Substring(from + 1, length), null);
        }

        /// <summary>
        /// A name without quotes ends with the token or before its next value; surrounding blanks do not belong to it.
        /// </summary>
        private static int LengthOfName(string could)
        {
            var end = could.IndexOf("}}", StringComparison.Ordinal);
            // The closing braces belong to the innermost opening ones, so this one is no token.
            if (could.IndexOf("{{", StringComparison.Ordinal) is >= 0 and var inner && inner < end)
                end = inner;
            var or = could.IndexOf(Or, StringComparison.Ordinal);
            if (end < 0 || (or >= 0 && or < end))
                end = or < 0 ? could.Length : or;
            return could.AsSpan(0, end).TrimEnd().Length;
        }

        public string? Of(TemplateValues values)
        {
            if (Literal is not null)
                return Literal;
            if (Path is not null)
                return Path.Find(values.BodyJson) is { } found ? TextOf(found) : null;
            return Name is null ? WholeOf(values)
                : Source == "query" ? values.QueryValues.GetValueOrDefault(Name)
                : values.Headers.GetValueOrDefault(Name.ToLowerInvariant());
        }

        private string WholeOf(TemplateValues values) =>
            Source switch
            {
                "body" => values.Body,
                "bodyJson" => values.BodyJson is { } json ? JsonSerializer.Serialize(json, Indented) : values.Body,
                "method" => values.Method,
                "path" => values.Path,
                "query" => values.Query,
                "headers" => JsonSerializer.Serialize(values.Headers, Indented),
                "sourceIp" => values.SourceIp,
                "timestamp" => values.Timestamp,
                _ => values.ScheduledTime,
            };

        /// <summary>Returns a text unchanged and anything else as JSON; null becomes empty.</summary>
        private static string TextOf(JsonElement value) =>
            value.ValueKind switch
            {
                JsonValueKind.String => MendedJson.TextOf(value),
                JsonValueKind.Null => "",
                _ => value.GetRawText(),
            };
    }
}
