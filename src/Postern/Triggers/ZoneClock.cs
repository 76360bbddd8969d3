namespace Postern.Triggers;

/// <summary>
/// Computes what the clocks of a zone show, and when. It uses only the offset from UTC at an instant, which .NET
/// answers correctly for every zone. (For zones whose winter is the saving time, Ireland's and Morocco's, .NET does not
/// know which times the clocks skip or show twice.)
/// </summary>
internal sealed class ZoneClock(TimeZoneInfo zone)
{
    /// <summary>More than clocks are ever moved.</summary>
    public static readonly TimeSpan Near = TimeSpan.FromHours(3);

    /// <summary>Returns the local time of an instant.</summary>
    public DateTime Shows(DateTime utc) => utc + OffsetAt(utc);

    /// <summary>Returns whether the clocks change within three hours of an instant.</summary>
    public bool ChangesNear(DateTime utc) => OffsetAt(utc - Near) != OffsetAt(utc + Near);

    /// <summary>
    /// Returns when the clocks first show a time. A time that they skip is the moment when they go on.
    /// </summary>
    public DateTime FirstTimeOf(DateTime shown)
    {
        var (before, after) = Around(shown);
        if (OffsetAt(shown - before) == before)
            return shown - before;
        if (OffsetAt(shown - after) == after)
            return shown - after;
        // Between the two, the clocks move forward, at a whole minute.
        var (from, to) = (shown - after, shown - before);
        while (to - from > TimeSpan.FromMinutes(1))
        {
            var middle = from + TimeSpan.FromMinutes(Math.Floor((to - from).TotalMinutes / 2));
            if (OffsetAt(middle) == before)
                from = middle;
            else
                to = middle;
        }
        return to;
    }

    /// <summary>Returns when the clocks show a time again, or null when they show it once.</summary>
    public DateTime? SecondTimeOf(DateTime shown)
    {
        var (before, after) = Around(shown);
        if (before <= after || OffsetAt(shown - before) != before || OffsetAt(shown - after) != after)
            return null;
        return shown - after;
    }

    /// <summary>One day before and one day after: clocks are not changed twice within two days.</summary>
    private (TimeSpan Before, TimeSpan After) Around(DateTime shown) =>
        (OffsetAt(shown - TimeSpan.FromDays(1)), OffsetAt(shown + TimeSpan.FromDays(1)));

    private TimeSpan OffsetAt(DateTime utc) =>
        zone.GetUtcOffset(new DateTimeOffset(DateTime.SpecifyKind(utc, DateTimeKind.Utc)));
}
