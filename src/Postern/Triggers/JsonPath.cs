using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Postern.Triggers;

/// <summary>
/// A path into a JSON value: <c>name</c>, <c>.name</c>, <c>["any name"]</c> and <c>[0]</c>, one after another. A name
/// without quotes ends at <c>.</c> and <c>[</c>. Inside quotes, a backslash escapes a quote or a backslash.
/// </summary>
internal sealed class JsonPath
{
    private readonly (string? Name, int Index)[] _steps;

    private JsonPath(IEnumerable<(string? Name, int Index)> steps)
    {
        _steps = [.. steps];
    }

    /// <summary>A path that finds nothing in any value.</summary>
    public static JsonPath Nowhere { get; } = new([(null, int.MaxValue)]);

    /// <summary>Returns the path, or null when the text is not a path.</summary>
    public static JsonPath? Parse(string text)
    {
        var at = 0;
        var path = Read(text, ref at, name => name.Length);
        return path is not null && at == text.Length ? path : null;
    }

    /// <summary>Reads a path inside of a text, as far as it goes. Returns null when none begins there.</summary>
    /// <param name="text">The whole text.</param>
    /// <param name="at">Where the path begins; afterwards where it ends.</param>
    /// <param name="lengthOf">How much of a name without quotes belongs to it, of what could.</param>
    public static JsonPath? Read(string text, ref int at, Func<string, int> lengthOf)
    {
        var steps = new List<(string? Name, int Index)>();
        var now = at;
        while (now < text.Length)
        {
            if (text[now] == '[')
            {
                if (ReadBracket(text, ref now) is not { } step)
                    return null;
                steps.Add(step);
            }
            else
            {
                var isDotted = text[now] == '.';
                if (!isDotted && steps.Count > 0)
                    break;
                var from = isDotted ? now + 1 : now;
                var end = text.AsSpan(from).IndexOfAny('.', '[');
                var could = end < 0 ? text[from..] : text.Substring(from, end);
                var length = lengthOf(could);
                if (length == 0)
                    return null;
                steps.Add((could[..length], 0));
                now = from + length;
                if (length < could.Length)
                    break;
            }
        }
        if (steps.Count == 0)
            return null;
        at = now;
        return new JsonPath(steps);
    }

    /// <summary>Reads a quoted name. Returns null when the quotes do not end.</summary>
    /// <param name="text">The whole text.</param>
    /// <param name="at">The opening quote; afterwards behind the closing one.</param>
    public static string? ReadQuoted(string text, ref int at)
    {
        var (quote, inside) = (text[at], new StringBuilder());
        for (var now = at + 1; now < text.Length; now++)
        {
            if (text[now] == quote)
            {
                at = now + 1;
                return inside.ToString();
            }
            if (text[now] == '\\' && now + 1 < text.Length && text[now + 1] is ('\\' or '"' or '\''))
                now++;
            inside.Append(text[now]);
        }
        return null;
    }

    private static (string? Name, int Index)? ReadBracket(string text, ref int at)
    {
        var now = at + 1;
        if (now >= text.Length)
            return null;
        (string? Name, int Index) step;
        if (text[now] is '"' or '\'')
        {
            if (ReadQuoted(text, ref now) is not { } name)
                return null;
            step = (name, 0);
        }
        else
        {
            var end = text.IndexOf(']', now);
            if (end < 0)
                return null;
            var digits = text.AsSpan(now, end - now);
            if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                return null;
            (step, now) = ((null, index), end);
        }
        if (now >= text.Length || text[now] != ']')
            return null;
        at = now + 1;
        return step;
    }

    /// <summary>Returns the value at the path, or null.</summary>
    public JsonElement? Find(JsonElement? root)
    {
        if (root is not { } at)
            return null;
        foreach (var (name, index) in _steps)
        {
            if (name is null)
            {
                if (at.ValueKind != JsonValueKind.Array || index >= at.GetArrayLength())
                    return null;
                at = at[index];
            }
            else
            {
                if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out var member))
                    return null;
                at = member;
            }
        }
        return at;
    }
}
