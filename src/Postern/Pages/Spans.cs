using System.Globalization;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Writes spans of time in words, with useful precision.</summary>
internal static class Spans
{
    /// <param name="microseconds">Not negative.</param>
    public static string Words(long microseconds) =>
        microseconds switch
        {
            < 1_000_000 => $"{microseconds / 1000} ms",
            < 10_000_000 => Number(microseconds / 1_000_000.0) + " s",
            < 120_000_000 => $"{microseconds / 1_000_000} s",
            < 7_200_000_000 => $"{microseconds / 60_000_000} min",
            < 172_800_000_000 => $"{microseconds / 3_600_000_000} h",
            _ => $"{microseconds / 86_400_000_000} d",
        };

    /// <summary>Returns a period in UTC, with the day when it is not today.</summary>
    public static string Between(long first, long last, long now)
    {
        var (from, to, today) = (Wire.Instant(first), Wire.Instant(last), Wire.Instant(now).Date);
        var begin = from.ToString(from.Date == today ? "HH:mm" : "MMM d HH:mm", CultureInfo.InvariantCulture);
        var end = to.ToString(to.Date == from.Date ? "HH:mm" : "MMM d HH:mm", CultureInfo.InvariantCulture);
        return last - first < 60_000_000 ? begin : $"{begin}–{end}";
    }

    private static string Number(double seconds) => seconds.ToString("0.##", CultureInfo.InvariantCulture);
}
