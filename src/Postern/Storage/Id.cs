using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Postern.Storage;

/// <summary>
/// Ids are a prefix and a time-ordered 128-bit value (UUID version 7) in 26 lower-case base-32 letters, so that ids sort
/// by the time they were made and are safe in a URL, a log and a header.
///
/// The time is the database's, which every node has, never the node's own. The ids that one node makes are in the order
/// in which it makes them, also within a microsecond: the 12 bits behind the milliseconds go on with the time
/// (RFC 9562, 6.2, methods 3 and 1). The other 62 bits are random: no id can be guessed from another. Ids of two nodes
/// are ordered as well as the nodes agree on the time, so what somebody follows by a cursor has a number instead.
/// </summary>
internal static class Id
{
    private const string Letters = "0123456789abcdefghjkmnpqrstvwxyz";
    private const int FractionBits = 12;

    /// <summary>
    /// How far the ids may be ahead of the time they are asked for: a clock that was set back this much is waited for.
    /// A time further back is that of another database.
    /// </summary>
    private const long MostAhead = 10_000L << FractionBits;

    private static long _last;

    /// <param name="prefix">What it is an id of.</param>
    /// <param name="now">The database's time, microseconds since 1970: <see cref="Tx.Now"/>.</param>
    public static string New(string prefix, long now)
    {
        Span<byte> bytes = stackalloc byte[16];
        Fill(bytes, now);
        var value = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return string.Create(prefix.Length + 27, (prefix, value), static (text, state) =>
        {
            state.prefix.CopyTo(text);
            text[state.prefix.Length] = '_';
            var rest = state.value;
            for (var i = text.Length - 1; i > state.prefix.Length; i--, rest >>= 5) text[i] = Letters[(int)(rest & 31)];
        });
    }

    /// <summary>The same value as a UUID, for what callers expect to be one.</summary>
    public static Guid NewUuid(long now)
    {
        Span<byte> bytes = stackalloc byte[16];
        Fill(bytes, now);
        return new Guid(bytes, bigEndian: true);
    }

    private static void Fill(Span<byte> bytes, long now)
    {
        RandomNumberGenerator.Fill(bytes[8..]);
        bytes[8] = (byte)(0x80 | (bytes[8] & 0x3F));
        var instant = Next(now);
        BinaryPrimitives.WriteInt64BigEndian(bytes, (instant >> FractionBits << 16) | 0x7000 | (instant & 0xFFF));
    }

    /// <summary>The milliseconds and 12 bits of their fraction; greater than every one before it.</summary>
    private static long Next(long now)
    {
        var (milliseconds, rest) = Math.DivRem(now, 1000);
        var asked = (milliseconds << FractionBits) | ((rest << FractionBits) / 1000);
        while (true)
        {
            var last = Interlocked.Read(ref _last);
            var next = last >= asked && last - asked < MostAhead ? last + 1 : asked;
            if (Interlocked.CompareExchange(ref _last, next, last) == last) return next;
        }
    }
}
