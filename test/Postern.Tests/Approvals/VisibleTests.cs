using Postern.Approvals;

namespace Postern.Tests.Approvals;

/// <summary>How a person sees the text of an agent.</summary>
public sealed class VisibleTests
{
    [Theory]
    [InlineData(0x3164)]
    [InlineData(0x115F)]
    [InlineData(0x1160)]
    [InlineData(0xFFA0)]
    [InlineData(0x2800)]
    [InlineData(0x034F)]
    [InlineData(0xFE00)]
    [InlineData(0xFE0F)]
    [InlineData(0xE0100)]
    [InlineData(0xE01EF)]
    [InlineData(0x17B4)]
    [InlineData(0x180B)]
    [InlineData(0x180F)]
    [InlineData(0x00AD)]
    [InlineData(0x061C)]
    [InlineData(0x200B)]
    [InlineData(0x202E)]
    [InlineData(0x2028)]
    [InlineData(0x2060)]
    [InlineData(0x2065)]
    [InlineData(0xFEFF)]
    [InlineData(0xFFF0)]
    [InlineData(0x1D159)]
    [InlineData(0x1D173)]
    [InlineData(0xE0041)]
    [InlineData(0xE0FFF)]
    [InlineData(0x13441)]
    [InlineData(0x16FE4)]
    [InlineData(0xD7FD)]
    [InlineData(0x0378)]
    [InlineData(0xFFFF)]
    [InlineData(0xE000)]
    [InlineData(0x0000)]
    [InlineData(0x001B)]
    [InlineData(0x0085)]
    public void Invisible_and_unassigned_characters_are_shown_as_codes(int code) =>
        Assert.Equal($"a\\u{{{code:x4}}}b", Visible.Text("a" + char.ConvertFromUtf32(code) + "b"));

    [Theory]
    [InlineData("line\r\n\tindented")]
    [InlineData("Grüße, café au lait, naïve")]
    [InlineData("Vie\u0323\u0302t Nam")]
    [InlineData("\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd")]
    [InlineData("\u0627\u0644\u0633\u0651\u064e\u0644\u0627\u0645")]
    [InlineData("\u0e17\u0e35\u0e48")]
    [InlineData("\u0915\u094d\u0937\u093f")]
    [InlineData("\u0f40\u0fb5\u0f71\u0f74")]
    [InlineData("日本語　テキスト")]
    [InlineData("10\u00a0000\u202f€")]
    [InlineData("👍🌍 ✔ → ∑")]
    public void Ordinary_text_stays_unchanged(string text) => Assert.Equal(text, Visible.Text(text));

    [Fact]
    public void Marks_pile_up_over_a_letter_only_as_far_as_scripts_need_it()
    {
        var shown = Visible.Text("a" + new string('\u0301', 30) + "b\u0301");
        Assert.Equal(
            "a\u0301\u0301\u0301\u0301" + string.Concat(Enumerable.Repeat("\\u{0301}", 26)) + "b\u0301",
            shown
        );
        // A character that shows nothing does not begin a new pile.
        Assert.Equal("a\u0301\u0301\\u{034f}\u0301\\u{0301}", Visible.Text("a\u0301\u0301\u034f\u0301\u0301"));
    }
}
