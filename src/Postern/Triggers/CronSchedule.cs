using Cronos;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// A cron expression of five fields in a time zone: minute, hour, day of the month, month, day of the week (0 to 7, or
/// names; Sunday is 0 and 7). When both days are given, one of them is enough, as in cron. Occurrences are whole
/// minutes apart.
/// </summary>
internal sealed class CronSchedule
{
    private readonly IReadOnlyList<CronExpression> _either;
    private readonly ZoneClock _clock;

    /// <summary>
    /// Whether hours or minutes are given by a step or a range. Such a schedule fires in both of two equal hours.
    /// </summary>
    private readonly bool _isRepeated;

    private CronSchedule(IReadOnlyList<CronExpression> either, ZoneClock clock, bool isRepeated) =>
        (_either, _clock, _isRepeated) = (either, clock, isRepeated);

    /// <summary>Reads a schedule that a person has given, and requires that it occurs.</summary>
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

    /// <summary>Returns the schedule, or what is wrong with it: the field and the problem.</summary>
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
        // The library requires both days where cron requires one of them.
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

    /// <summary>Returns the first occurrence after an instant, both in microseconds, or null.</summary>
    public long? After(long instant)
    {
        var asked = Wire.Instant(instant).UtcDateTime;
        DateTime? first = null;
        foreach (var one in _either)
            if (NextOf(one, asked) is { } next && !(next >= first))
                first = next;
        return first is null ? null : Wire.Microseconds(new DateTimeOffset(first.Value));
    }

    /// <summary>
    /// Returns the newest occurrences up to an instant, oldest first; none before <paramref name="first"/>.
    /// </summary>
    /// <param name="first">An occurrence, microseconds.</param>
    /// <param name="until">Microseconds; not before the first.</param>
    /// <param name="most">How many are wanted.</param>
    public IReadOnlyList<long> Newest(long first, long until, int most)
    {
        // However long ago the first was, the work is about proportional to the result.
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
    /// The library computes local times; this method decides when they are. A local time that the clocks skip happens
    /// when they go on. A local time that they show twice happens the first time, and for a repeating schedule both
    /// times.
    /// </summary>
    private DateTime? NextOf(CronExpression one, DateTime asked)
    {
        var shown = _clock.Shows(asked);
        if (_clock.ChangesNear(asked))
        {
            // Local times that were shown already may come again: all local times of these hours, at each of their
            // instants.
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
