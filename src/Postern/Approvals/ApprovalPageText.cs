using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>The page's style, which stands in it, and the policy that allows this one style, no script, and no other page around it.</summary>
internal static class PageStyle
{
    public const int MaxComment = 4000;

    public const string Css = """
        :root{color-scheme:light dark;--ink:#1a1d21;--paper:#fff;--soft:#f2f4f6;--line:#6b7280;--yes:#11632f;--no:#a11616;--focus:#0b57d0}
        @media (prefers-color-scheme:dark){:root{--ink:#eceff3;--paper:#15181c;--soft:#23282e;--line:#8b95a3;--yes:#146c36;--no:#b3261e;--focus:#8ab4f8}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}
        main{max-width:42rem;margin:0 auto;padding:1.25rem}
        h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 1rem;overflow-wrap:anywhere}
        h2{font-size:1.0625rem;margin:1.25rem 0 .5rem}
        .who,.fine{font-size:.9375rem;margin:0}
        .fine{margin-top:1rem}
        .text{white-space:pre-wrap;overflow-wrap:anywhere}
        pre{margin:0;padding:.75rem;max-height:24rem;overflow:auto;background:var(--soft);border-radius:.5rem;font-size:.9375rem;white-space:pre-wrap;overflow-wrap:anywhere}
        form{margin-top:1.5rem}
        label{display:block;font-weight:600;margin-bottom:.375rem}
        select{margin-bottom:1rem;min-height:3rem}
        textarea,select{width:100%;font:inherit;padding:.5rem;border:1px solid var(--line);border-radius:.5rem;background:var(--paper);color:inherit}
        .buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1rem}
        .buttons button{flex:1 1 9rem;min-height:3rem;font:inherit;font-weight:600;border:1px solid var(--line);border-radius:.5rem;background:var(--soft);color:inherit;cursor:pointer}
        @media (max-width:30rem){.buttons button{flex-basis:100%}}
        .buttons .yes{background:var(--yes);border-color:var(--yes);color:#fff}
        .buttons .no{background:var(--no);border-color:var(--no);color:#fff}
        :focus-visible{outline:3px solid var(--focus);outline-offset:2px}
        .outcome,.note{padding:.75rem;border-left:.375rem solid var(--line);background:var(--soft);font-weight:600}
        .outcome.approved{border-color:var(--yes)}
        .outcome.rejected,.outcome.expired,.note{border-color:var(--no)}
        blockquote{margin:1rem 0;padding:0 0 0 .75rem;border-left:3px solid var(--line)}
        """;

    public static readonly string Policy =
        $"default-src 'none'; style-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Css)))}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
}

/// <summary>
/// Text of an agent as a person sees it. Characters that turn the direction of what follows, that show nothing, or that
/// pile up over others could make one thing look like another: they are shown as their codes. Markup is escaped by the
/// page itself.
/// </summary>
internal static class Visible
{
    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };

    /// <summary>
    /// Marks that one letter carries in any script that is written (Hebrew with its accents, Tibetan stacks).
    /// </summary>
    private const int MostMarks = 4;

    /// <summary>
    /// Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties.txt): what a renderer without a picture for it
    /// shows as nothing. First and last of each span.
    /// </summary>
    private static readonly (int First, int Last)[] Ignorable =
    [
        (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
        (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    ];

    /// <summary>
    /// Letters and symbols whose picture is empty: Braille's blank, a null notehead, fillers, blanks of hieroglyphs.
    /// </summary>
    private static readonly int[] Blank = [0x2800, 0x16FE4, 0x13441, 0x13442, 0x1D159];

    public static string Text(string text)
    {
        var shown = new StringBuilder(text.Length);
        var marks = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var category = Rune.GetUnicodeCategory(rune);
            marks = IsMark(category) ? marks + 1 : 0;
            if (Hides(rune, category) || marks > MostMarks) shown.Append($"\\u{{{rune.Value:x4}}}");
            else shown.Append(rune);
        }
        return shown.ToString();
    }

    /// <summary>A payload, indented; a text by itself as that text.</summary>
    public static string? Payload(byte[]? payload)
    {
        if (payload is null) return null;
        using var json = JsonDocument.Parse(payload, Wire.Kept);
        return Text(json.RootElement.ValueKind == JsonValueKind.String ? Fields.TextOf(json.RootElement) ?? "" : JsonSerializer.Serialize(json.RootElement, Indented));
    }

    private static bool IsMark(UnicodeCategory category) =>
        category is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.SpacingCombiningMark;

    private static bool Hides(Rune rune, UnicodeCategory category)
    {
        if (rune.Value is '\n' or '\r' or '\t') return false;
        return category switch
        {
            UnicodeCategory.Control or UnicodeCategory.Format => true,
            UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => true,
            UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned => true,
            _ => Blank.Contains(rune.Value) || Ignorable.Any(span => rune.Value >= span.First && rune.Value <= span.Last),
        };
    }
}

/// <summary>One of the answers that an agent offers beside yes and no.</summary>
/// <param name="Value">What the agent reads as <c>response.option</c>.</param>
internal sealed record Choice(string Value, string Label)
{
    private const int Most = 20;

    /// <summary>The choices of <c>options</c>: a list of texts, or of objects with an <c>id</c> or <c>value</c> and a <c>label</c>. Anything else is not for this page.</summary>
    public static IReadOnlyList<Choice> Of(string? options)
    {
        if (options is null) return [];
        using var json = JsonDocument.Parse(options, Wire.Kept);
        if (json.RootElement.ValueKind != JsonValueKind.Array || json.RootElement.GetArrayLength() > Most) return [];
        var choices = new List<Choice>();
        foreach (var item in json.RootElement.EnumerateArray())
        {
            var value = item.ValueKind == JsonValueKind.String ? Fields.TextOf(item) : Text(item, "id") ?? Text(item, "value") ?? Text(item, "label");
            if (value is null) return [];
            choices.Add(new Choice(value, Text(item, "label") ?? value));
        }
        return choices;
    }

    private static string? Text(JsonElement item, string name) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? Fields.TextOf(value) : null;
}
