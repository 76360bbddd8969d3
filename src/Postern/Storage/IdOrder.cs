namespace Postern.Storage;

/// <summary>
/// The order of the ids that one process makes: each is greater than those before it, also within a microsecond.
/// </summary>
internal sealed class IdOrder
{
    private const int FractionBits = 12;

    /// <summary>
    /// How far ids may be ahead of the time that they are asked for: a transaction that has read the time earlier is
    /// put behind. A time further back is that of another database.
    /// </summary>
    private const long MostAhead = 10_000L << FractionBits;

    private long _last;

    /// <summary>Returns the milliseconds of an id, and where in them it stands.</summary>
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
