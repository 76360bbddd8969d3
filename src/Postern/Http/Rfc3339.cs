using System.Globalization;

namespace Postern.Http;

/// <summary>
/// Instants as RFC 3339 spells them (https://www.rfc-editor.org/rfc/rfc3339): date, time, an offset; digits below a
/// microsecond are cut.
/// </summary>
internal static class Rfc3339
{
    public static bool TryParse(string text, out long microseconds)
    {
        microseconds = 0;
        var s = text.AsSpan();
        if (
            s.Length < 20
            || s[4] != '-'
            || s[7] != '-'
            || s[10] is not ('T' or 't' or ' ')
            || s[13] != ':'
            || s[16] != ':'
        )
            return false;
        if (
            !Digits(s[..4], out var year)
            || !Digits(s[5..7], out var month)
            || !Digits(s[8..10], out var day)
            || !Digits(s[11..13], out var hour)
            || !Digits(s[14..16], out var minute)
            || !Digits(s[17..19], out var second)
        )
            return false;
        var rest = s[19..];
        var fraction = 0L;
        if (rest[0] == '.')
        {
            var digits = 0;
            while (digits + 1 < rest.Length && char.IsAsciiDigit(rest[digits + 1]))
                digits++;
            if (digits == 0)
                return false;
            for (var i = 0; i < 6; i++)
                fraction = (fraction * 10) + (i < digits ? rest[i + 1] - '0' : 0);
            rest = rest[(digits + 1)..];
        }
        if (!Offset(rest, out var offsetMinutes))
            return false;
        // A leap second is the first of the next minute.
        var leap = second == 60;
        if (
            year is < 1 or > 9998
            || month is < 1 or > 12
            || day < 1
            || day > DateTime.DaysInMonth(year, month)
            || hour > 23
            || minute > 59
            || second > 60
        )
            return false;
        var at = new DateTimeOffset(year, month, day, hour, minute, leap ? 59 : second, TimeSpan.Zero).AddSeconds(
            leap ? 1 : 0
        );
        microseconds = Wire.Microseconds(at) + fraction - (offsetMinutes * 60_000_000L);
        return true;
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
