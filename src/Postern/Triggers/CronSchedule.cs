using System.Globalization;
using Postern.Http;
using Quartz;

namespace Postern.Triggers;

/// <summary>
/// A cron expression of five fields in a time zone: minute, hour, day of the month, month, day of the week (0 to 7, or names; Sunday is 0 and 7). Where both days are given either is enough, as cron has it. The library's own
/// expressions begin with seconds and count days from 1: this is the translation. Changes of the clock are the zone's rules.
/// </summary>
internal sealed class CronSchedule
{
    private const int Checked = 100;
    private static readonly string[] Days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    private readonly IReadOnlyList<CronExpression> _either;

    private CronSchedule(IReadOnlyList<CronExpression> either) => _either = either;

    /// <summary>The schedule, or what is wrong with it: the field and the problem.</summary>
    public static (CronSchedule? Schedule, string? Field, string? Problem) Parse(string expression, string zone, long now)
    {
        TimeZoneInfo found;
        try
        {
            found = TimeZoneInfo.FindSystemTimeZoneById(zone);
        }
        catch (Exception fault) when (fault is TimeZoneNotFoundException or InvalidTimeZoneException or System.Security.SecurityException)
        {
            return (null, "cronTimezone", "must be an IANA time zone, such as Europe/Berlin");
        }
        var fields = expression.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (fields.Length != 5) return (null, "cronExpression", "must have five fields: minute hour day month weekday");
        try
        {
            var (day, weekday) = (fields[2], Weekdays(fields[4]));
            string[] forms = (day is "*" or "?", fields[4] is "*" or "?") switch
            {
                (_, true) => [$"0 {fields[0]} {fields[1]} {(day == "?" ? "*" : day)} {fields[3]} ?"],
                (true, _) => [$"0 {fields[0]} {fields[1]} ? {fields[3]} {weekday}"],
                _ => [$"0 {fields[0]} {fields[1]} {day} {fields[3]} ?", $"0 {fields[0]} {fields[1]} ? {fields[3]} {weekday}"],
            };
            var schedule = new CronSchedule([.. forms.Select(f => new CronExpression(f, found))]);
            return schedule.WhatIsWrong(now) is { } problem ? (null, "cronExpression", problem) : (schedule, null, null);
        }
        catch (Exception fault) when (fault is FormatException or ArgumentException)
        {
            return (null, "cronExpression", "is no cron expression");
        }
    }

    /// <summary>The first occurrence after an instant, both in microseconds; null: there is none any more.</summary>
    public long? After(long instant) =>
        _either.Select(e => e.GetNextValidTimeAfter(Wire.Instant(instant))).Where(t => t is not null).Select(t => (long?)Wire.Microseconds(t!.Value)).Min();

    private string? WhatIsWrong(long now)
    {
        if (After(now) is not { } last) return "never occurs";
        for (var i = 0; i < Checked && After(last) is { } next; i++)
        {
            if (next - last < 60_000_000) return "must leave at least 60 seconds between two runs";
            last = next;
        }
        return null;
    }

    /// <summary>Days of the week by name, so that both ways of counting them mean the same.</summary>
    private static string Weekdays(string field) =>
        string.Join(',', field.Split(',').Select(part =>
        {
            var slash = part.Split('/');
            var range = string.Join('-', slash[0].Split('-').Select(d => int.TryParse(d, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n is >= 0 and <= 7 ? Days[n % 7] : throw new FormatException() : d.ToUpperInvariant()));
            return slash.Length == 1 ? range : slash.Length == 2 ? $"{(range == "*" ? "SUN-SAT" : range)}/{slash[1]}" : throw new FormatException();
        }));
}
