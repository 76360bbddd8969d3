namespace Postern.Storage;

/// <summary>
/// Ids are a prefix and a time-ordered 128-bit value (UUID version 7) in 26 lower-case base-32 letters, so that ids sort by
/// the time they were made and are safe in a URL, a log and a header.
/// </summary>
internal static class Id
{
    private const string Letters = "0123456789abcdefghjkmnpqrstvwxyz";

    public static string New(string prefix, TimeProvider clock)
    {
        Span<byte> bytes = stackalloc byte[16];
        Guid.CreateVersion7(clock.GetUtcNow()).TryWriteBytes(bytes, bigEndian: true, out _);
        var value = new UInt128(
            System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes),
            System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
        return string.Create(prefix.Length + 27, (prefix, value), static (text, state) =>
        {
            state.prefix.CopyTo(text);
            text[state.prefix.Length] = '_';
            var rest = state.value;
            for (var i = text.Length - 1; i > state.prefix.Length; i--, rest >>= 5) text[i] = Letters[(int)(rest & 31)];
        });
    }
}
