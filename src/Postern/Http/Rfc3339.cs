using System.Globalization;

namespace Postern.Http;

/// <summary>
/// Reads instants in the form of RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339): date, time, an offset. Digits below
/// a microsecond are cut.
/// </summary>
internal static class Rfc3339
{
    public static bool TryParse(string text, out long microseconds)
    {
        microseconds = 0;
        var s = text.AsSpan();
        if (s.Length < 20 || !IsPunctuated(s) || !TrySecond(s, out var second))
            return false;
        var rest = s[19..];
        if (!TryFraction(ref rest, out var fraction) || !Offset(rest, out var offsetMinutes))
            return false;
        microseconds = Wire.Microseconds(second) + fraction - (offsetMinutes * 60_000_000L);
        return true;
    }

    private static bool IsPunctuated(ReadOnlySpan<char> s) =>
        (s[4], s[7], s[13], s[16]) == ('-', '-', ':', ':') && s[10] is 'T' or 't' or ' ';

    /// <summary>Reads date and time without fractions of a second.</summary>
    private static bool TrySecond(ReadOnlySpan<char> s, out DateTimeOffset at)
    {
        at = default;
        Span<int> parts = stackalloc int[6];
        ReadOnlySpan<(int From, int To)> places = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)];
        for (var i = 0; i < parts.Length; i++)
            if (!Digits(s[places[i].From..places[i].To], out parts[i]))
                return false;
        var (year, month, day) = (parts[0], parts[1], parts[2]);
        var (hour, minute, second) = (parts[3], parts[4], parts[5]);
        if (year is < 1 or > 9998 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month))
            return false;
        if (hour > 23 || minute > 59 || second > 60)
            return false;
        // A leap second is the first second of the next minute.
        at = new DateTimeOffset(year, month, day, hour, minute, 0, TimeSpan.Zero).AddSeconds(second);
        return true;
    }

    /// <summary>Reads the microseconds after the point, if there is one, and leaves the rest.</summary>
    private static bool TryFraction(ref ReadOnlySpan<char> rest, out long fraction)
    {
        fraction = 0;
        if (rest[0] != '.')
            return true;
        var digits = 0;
        while (digits + 1 < rest.Length && char.IsAsciiDigit(rest[digits + 1]))
            digits++;
        for (var i = 0; i < 6; i++)
            fraction = (fraction * 10) + (i < digits ? rest[i + 1] - '0' : 0);
        rest = rest[(digits + 1)..];
        return digits > 0;
    }

    private static bool Offset(ReadOnlySpan<char> text, out int minutes)
    {
        minutes = 0;
        if (text is "Z" or "z")
            return true;
        if (
            text.Length != 6
            || text[0] is not ('+' or '-')
            || text[3] != ':'
            || !Digits(text[1..3], out var h)
            || !Digits(text[4..6], out var m)
            || h > 23
            || m > 59
        )
            return false;
        minutes = ((h * 60) + m) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    private static bool Digits(ReadOnlySpan<char> text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
