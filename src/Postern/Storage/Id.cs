using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Postern.Storage;

/// <summary>
/// Ids are a prefix and a time-ordered 128-bit value (UUID version 7) in 26 lower-case base-32 letters, so that ids
/// sort by the time they were made and are safe in a URL, a log and a header.
/// </summary>
internal static class Id
{
    private const string Letters = "0123456789abcdefghjkmnpqrstvwxyz";

    private static readonly IdOrder Order = new();

    /// <summary>Random bytes for the next ids of this thread: getting 8 of them costs as much as getting 512.</summary>
    [ThreadStatic]
    private static byte[]? _random;

    [ThreadStatic]
    private static int _used;

    /// <summary>Makes an id.</summary>
    /// <param name="prefix">What it is of.</param>
    /// <param name="now">The database's time, in microseconds: ids of several nodes are compared.</param>
    public static string New(string prefix, long now) => New(prefix, now, Order);

    internal static string New(string prefix, long now, IdOrder order) => Text(prefix, NewValue(now, order));

    /// <summary>Returns a bound for lists: every id that was made at this time or later sorts behind it.</summary>
    /// <param name="at">Microseconds, not negative.</param>
    public static string From(string prefix, long at) => Text(prefix, new UInt128((ulong)(at / 1000) << 16, 0));

    private static string Text(string prefix, UInt128 value) =>
        string.Create(
            prefix.Length + 27,
            (prefix, value),
            static (text, state) =>
            {
                state.prefix.CopyTo(text);
                text[state.prefix.Length] = '_';
                var rest = state.value;
                for (var i = text.Length - 1; i > state.prefix.Length; i--, rest >>= 5)
                    text[i] = Letters[(int)(rest & 31)];
            }
        );

    /// <summary>Makes an id in the form of a UUID, version 7.</summary>
    /// <param name="now">The database's time, in microseconds.</param>
    public static string NewGuid(long now)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, NewValue(now, Order));
        return new Guid(bytes, bigEndian: true).ToString();
    }

    /// <summary>
    /// RFC 9562, section 6.2: a counter stands behind the millisecond. It counts up when two ids fall into one
    /// millisecond, so that a later id of one process sorts later. 62 bits are random.
    /// </summary>
    private static UInt128 NewValue(long now, IdOrder order)
    {
        var low = (NextRandom() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000;
        var (millisecond, counter) = order.Next(now);
        var high = ((ulong)millisecond << 16) | 0x7000 | (ulong)counter;
        return new UInt128(high, low);
    }

    private static ulong NextRandom()
    {
        var random = _random ??= new byte[512];
        if (_used == 0)
            RandomNumberGenerator.Fill(random);
        var next = BinaryPrimitives.ReadUInt64BigEndian(random.AsSpan(_used));
        _used = (_used + sizeof(ulong)) % random.Length;
        return next;
    }
}
