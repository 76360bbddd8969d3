using Postern.Hosting;

namespace Postern.Tests.Hosting;

/// <summary>What others wrote cannot write over, or pass for, what a command says.</summary>
public sealed class TerminalTests
{
    [Theory]
    [InlineData("pay evil 1000\rpay bob 10  ", "pay evil 1000\\u{000d}pay bob 10  ")]
    [InlineData("\u001b[2K\u001b]0;title\u0007", "\\u{001b}[2K\\u{001b}]0;title\\u{0007}")]
    [InlineData("one\ntwo\r\nthree\tfour", "one two three four")]
    [InlineData("\u009b2J\u202e\u200b\b", "\\u{009b}2J\\u{202e}\\u{200b}\\u{0008}")]
    [InlineData("Ω é 😀", "Ω é 😀")]
    public void A_text_in_braces_is_one_line_that_no_terminal_obeys(string text, string shown) =>
        Assert.Equal($"<{shown}>", new TerminalText(2, 1).With("<", text, ">"));

    [Fact]
    public void A_text_of_several_lines_is_marked_on_each()
    {
        var text = new TerminalText(0, 1);
        text.AppendFormatted(new TerminalBlock("May I?\r\n  2  Approve\n\rAsked"));
        Assert.Equal("  | May I?\n  |   2  Approve\n  | \\u{000d}Asked", text.ToString());
    }

    [Fact]
    public void Columns_stay_columns()
    {
        var text = new TerminalText(1, 2);
        text.AppendFormatted("ab", -4);
        text.AppendLiteral("|");
        text.AppendFormatted(1234.5, 8, "0.00");
        Assert.Equal("ab  | 1234.50", text.ToString());
    }
}

file static class Parts
{
    public static string With(this TerminalText text, string before, string value, string after)
    {
        text.AppendLiteral(before);
        text.AppendFormatted(value);
        text.AppendLiteral(after);
        return text.ToString();
    }
}
