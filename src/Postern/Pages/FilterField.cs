namespace Postern.Pages;

/// <summary>
/// One field of a list's filters. A page writes them as a text with one field on each line: name, label, then the words
/// of a choice or a hint in brackets: <c>phase Phase queued|running</c>, <c>created Created [from..to]</c>. A choice
/// that begins with <c>=</c> has no "any": the list shows its first word when nothing is chosen.
/// </summary>
internal sealed record FilterField(string Name, string Label, IReadOnlyList<string> Words, string? Hint, string? Unset)
{
    public static IReadOnlyList<FilterField> Parse(string text) =>
        [.. text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Line)];

    private static FilterField Line(string line)
    {
        var parts = line.Split(' ', 3);
        var more = parts.Length > 2 ? parts[2] : "";
        var isHint = more.StartsWith('[');
        return new FilterField(
            parts[0],
            parts.Length > 1 ? parts[1].Replace('_', ' ') : parts[0],
            isHint || more.Length == 0 ? [] : more.TrimStart('=').Split('|'),
            isHint ? more.Trim('[', ']') : null,
            more.StartsWith('=') ? more[1..].Split('|')[0] : null
        );
    }
}
