using System.Globalization;
using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>
/// Shows the text of an agent safely to a person. Characters that change the direction of text, that are invisible, or
/// that pile up over others could make one text look like another. They are replaced by their codes. The page itself
/// escapes markup.
/// </summary>
internal static class Visible
{
    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };

    /// <summary>The most marks on one letter in any real script (Hebrew with its accents, Tibetan stacks).</summary>
    private const int MostMarks = 4;

    /// <summary>
    /// Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties.txt): characters that a renderer without a
    /// picture shows as nothing. First and last of each range.
    /// </summary>
    private static readonly (int First, int Last)[] Ignorable =
    [
        (0x00AD, 0x00AD),
        (0x034F, 0x034F),
        (0x061C, 0x061C),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFF8),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    ];

    /// <summary>
    /// Letters and symbols with an empty picture: Braille's blank, a null notehead, fillers, blanks of hieroglyphs.
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
            if (Hides(rune, category) || marks > MostMarks)
                shown.Append($"\\u{{{rune.Value:x4}}}");
            else
                shown.Append(rune);
        }
        return shown.ToString();
    }

    /// <summary>Returns a payload, indented; a plain text unchanged.</summary>
    public static string? Payload(byte[]? payload)
    {
        if (payload is null)
            return null;
        using var json = JsonDocument.Parse(payload, Wire.Kept);
        return Text(
            json.RootElement.ValueKind == JsonValueKind.String
                ? JsonText.Of(json.RootElement) ?? ""
                : JsonSerializer.Serialize(json.RootElement, Indented)
        );
    }

    private static bool IsMark(UnicodeCategory category) =>
        category
            is UnicodeCategory.NonSpacingMark
                or UnicodeCategory.EnclosingMark
                or UnicodeCategory.SpacingCombiningMark;

    private static bool Hides(Rune rune, UnicodeCategory category)
    {
        if (rune.Value is '\n' or '\r' or '\t')
            return false;
        return category switch
        {
            UnicodeCategory.Control or UnicodeCategory.Format => true,
            UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => true,
            UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned => true,
            _ => Blank.Contains(rune.Value)
                || Ignorable.Any(span => rune.Value >= span.First && rune.Value <= span.Last),
        };
    }
}
