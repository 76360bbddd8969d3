namespace Postern.Storage;

/// <summary>
/// Keeps the ids of one process in order: each is greater than those before it, even within a microsecond.
/// </summary>
internal sealed class IdOrder
{
    private const int FractionBits = 12;

    /// <summary>
    /// How far ids may be ahead of the requested time. A transaction that read its time earlier gets a later id. A time
    /// further back belongs to another database.
    /// </summary>
    private const long MostAhead = 10_000L << FractionBits;

    private long _last;

    /// <summary>Returns the millisecond of an id, and its place within the millisecond.</summary>
    /// <param name="now">Unix time in microseconds.</param>
    public (long Milliseconds, long Fraction) Next(long now)
    {
        var (milliseconds, rest) = Math.DivRem(now, 1000);
        var asked = (milliseconds << FractionBits) | ((rest << FractionBits) / 1000);
        while (true)
        {
            var last = Interlocked.Read(ref _last);
            var next = last >= asked && last - asked < MostAhead ? last + 1 : asked;
            if (Interlocked.CompareExchange(ref _last, next, last) == last)
                return (next >> FractionBits, next & ((1 << FractionBits) - 1));
        }
    }
}
