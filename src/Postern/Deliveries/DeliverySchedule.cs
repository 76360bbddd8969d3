using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Computes when a delivery is tried again.</summary>
internal static class DeliverySchedule
{
    /// <summary>Seconds before the second, third … try: ten tries in all.</summary>
    public static readonly int[] Schedule = [5, 30, 120, 600, 1800, 7200, 18_000, 36_000, 50_400];

    /// <summary>
    /// Returns the time of the schedule, or a later one that the receiver asked for: <c>Retry-After</c> only ever
    /// delays.
    /// </summary>
    public static long DueAgain(Tx tx, Delivery delivery, Attempt attempt)
    {
        // ±20 %, so that deliveries that failed together are not tried together.
        var scheduled = (long)(Schedule[delivery.Tries] * 1_000_000L * (0.8 + (Random.Shared.NextDouble() * 0.4)));
        return tx.Now + Math.Max(scheduled, (long)(attempt.RetryAfter ?? TimeSpan.Zero).TotalMicroseconds);
    }
}
