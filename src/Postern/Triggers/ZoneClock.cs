namespace Postern.Triggers;

/// <summary>
/// What the clocks of a zone show, and when. Everything comes from one question that .NET answers rightly for every
/// zone: by how much the clocks are off UTC at an instant. (Of zones whose winter is the saving time, Ireland's and
/// Morocco's, .NET does not know which times the clocks leave out or show twice.)
/// </summary>
internal sealed class ZoneClock(TimeZoneInfo zone)
{
    /// <summary>More than clocks are ever put forward or back.</summary>
    public static readonly TimeSpan Near = TimeSpan.FromHours(3);

    /// <summary>The clocks' time at an instant.</summary>
    public DateTime Shows(DateTime utc) => utc + OffsetAt(utc);

    /// <summary>Returns whether the clocks change within three hours of an instant.</summary>
    public bool ChangesNear(DateTime utc) => OffsetAt(utc - Near) != OffsetAt(utc + Near);

    /// <summary>When the clocks show a time first; what they leave out is when they go on.</summary>
    public DateTime FirstTimeOf(DateTime shown)
    {
        var (before, after) = Around(shown);
        if (OffsetAt(shown - before) == before)
            return shown - before;
        if (OffsetAt(shown - after) == after)
            return shown - after;
        // Between the two the clocks go forward, on a whole minute.
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

    /// <summary>When the clocks show a time again; null where they show it once.</summary>
    public DateTime? SecondTimeOf(DateTime shown)
    {
        var (before, after) = Around(shown);
        if (before <= after || OffsetAt(shown - before) != before || OffsetAt(shown - after) != after)
            return null;
        return shown - after;
    }

    /// <summary>A day before and a day after: clocks are not changed twice within two.</summary>
    private (TimeSpan Before, TimeSpan After) Around(DateTime shown) =>
        (OffsetAt(shown - TimeSpan.FromDays(1)), OffsetAt(shown + TimeSpan.FromDays(1)));

    private TimeSpan OffsetAt(DateTime utc) =>
        zone.GetUtcOffset(new DateTimeOffset(DateTime.SpecifyKind(utc, DateTimeKind.Utc)));
}
