using Cronos;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// A cron expression of five fields in a time zone: minute, hour, day of the month, month, day of the week (0 to 7, or
/// names; Sunday is 0 and 7). Where both days are given either is enough, as cron has it. Runs are whole minutes apart,
/// so no two come within 60 seconds.
/// </summary>
internal sealed class CronSchedule
{
    private readonly IReadOnlyList<CronExpression> _either;
    private readonly ZoneClock _clock;

    /// <summary>It names hours or minutes by a step or a range: such a one runs in both of two equal hours.</summary>
    private readonly bool _isRepeated;

    private CronSchedule(IReadOnlyList<CronExpression> either, ZoneClock clock, bool isRepeated) =>
        (_either, _clock, _isRepeated) = (either, clock, isRepeated);

    /// <summary>A schedule as somebody gives it: one that occurs.</summary>
    /// <param name="expression">Five fields.</param>
    /// <param name="zone">An IANA name.</param>
    /// <param name="now">Microseconds.</param>
    public static (CronSchedule? Schedule, string? Field, string? Problem) Parse(
        string expression,
        string zone,
        long now
    )
    {
        var read = Read(expression, zone);
        return read.Schedule is { } schedule && schedule.After(now) is null
            ? (null, "cronExpression", "never occurs")
            : read;
    }

    /// <summary>The schedule, or what is wrong with it: the field and the problem.</summary>
    public static (CronSchedule? Schedule, string? Field, string? Problem) Read(string expression, string zone)
    {
        TimeZoneInfo found;
        try
        {
            found = TimeZoneInfo.FindSystemTimeZoneById(zone);
        }
        catch (Exception fault)
            when (fault is TimeZoneNotFoundException or InvalidTimeZoneException or System.Security.SecurityException)
        {
            return (null, "cronTimezone", "must be an IANA time zone, such as Europe/Berlin");
        }
        var fields = expression.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (fields.Length != 5)
            return (null, "cronExpression", "must have five fields: minute hour day month weekday");
        var (minute, hour, day, month, weekday) = (fields[0], fields[1], fields[2], fields[3], fields[4]);
        // The library asks for both days where cron asks for one of them.
        string[] forms =
            day is "*" or "?" || weekday is "*" or "?"
                ? [expression]
                : [$"{minute} {hour} {day} {month} *", $"{minute} {hour} * {month} {weekday}"];
        try
        {
            var isRepeated = (minute + hour).AsSpan().IndexOfAny("*/-") >= 0;
            var expressions = forms.Select(f => CronExpression.Parse(f)).ToList();
            return (new CronSchedule(expressions, new ZoneClock(found), isRepeated), null, null);
        }
        catch (CronFormatException)
        {
            return (null, "cronExpression", "is no cron expression");
        }
    }

    /// <summary>
    /// The first occurrence that is later than an instant, both in microseconds; null: there is none.
    /// </summary>
    public long? After(long instant)
    {
        var asked = Wire.Instant(instant).UtcDateTime;
        DateTime? first = null;
        foreach (var one in _either)
            if (NextOf(one, asked) is { } next && !(next >= first))
                first = next;
        return first is null ? null : Wire.Microseconds(new DateTimeOffset(first.Value));
    }

    /// <summary>Occurrences up to an instant, the newest last: at most so many, and none before the first.</summary>
    /// <param name="first">An occurrence, microseconds.</param>
    /// <param name="until">Microseconds; not before the first.</param>
    /// <param name="most">How many are wanted.</param>
    public IReadOnlyList<long> Newest(long first, long until, int most)
    {
        // However long ago the first was, only about as much is gone through as is given back.
        var found = new List<long>();
        for (var span = 3_600_000_000L; ; span *= 2)
        {
            found.Clear();
            var from = until - span;
            var all = from <= first;
            if (all)
                found.Add(first);
            for (var at = After(all ? first : from); at <= until; at = After(at.Value))
                found.Add(at.Value);
            if (all || found.Count >= most)
                return found.Count <= most ? found : found[^most..];
        }
    }

    /// <summary>
    /// The library tells what the zone's clocks show; when that is, is told here. What they leave out happens when they
    /// go on. What they show twice happens at the first time, and of a repeated schedule at both.
    /// </summary>
    private DateTime? NextOf(CronExpression one, DateTime asked)
    {
        var shown = _clock.Shows(asked);
        if (_clock.ChangesNear(asked))
        {
            // What they have shown already may come again: all that they show in these hours, at each of its times.
            DateTime? next = null;
            for (
                var at = one.GetNextOccurrence(shown - ZoneClock.Near);
                at <= shown + (2 * ZoneClock.Near);
                at = one.GetNextOccurrence(at.Value)
            )
            {
                foreach (
                    var time in (DateTime?[])
                        [_clock.FirstTimeOf(at.Value), _isRepeated ? _clock.SecondTimeOf(at.Value) : null]
                )
                    if (time > asked && !(time >= next))
                        next = time;
            }
            if (next is not null)
                return next;
        }
        return one.GetNextOccurrence(shown) is { } local ? _clock.FirstTimeOf(local) : null;
    }
}
