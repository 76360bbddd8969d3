using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Postern.Hosting;

/// <summary>
/// A text for <see cref="Terminal"/>, written as an interpolated string: what stands in braces is made harmless.
/// </summary>
[InterpolatedStringHandler]
internal sealed class TerminalText(int literalLength, int formattedCount)
{
    private readonly StringBuilder _text = new(literalLength + (formattedCount * 16));

    public void AppendLiteral(string literal) => _text.Append(literal);

    public void AppendFormatted(TerminalBlock block) => _text.Append(block);

    public void AppendFormatted<T>(T value, int alignment = 0, string? format = null)
    {
        var text = value is IFormattable formattable
            ? formattable.ToString(format, CultureInfo.InvariantCulture)
            : value?.ToString();
        var line = Terminal.Line(text ?? "");
        _text.Append(alignment < 0 ? line.PadRight(-alignment) : line.PadLeft(alignment));
    }

    public override string ToString() => _text.ToString();
}
